"""The page of one repository: its tags, each with what it names."""

from collections.abc import Iterator, Sequence

from twisted.internet.defer import Deferred
from twisted.web.template import Tag, tags

from minreg.interfaces import IRegistryStore, RepositoryNotFound
from minreg.store.images import HeldImage, look_at_image
from minreg.web.disk import Disk
from minreg.web.page.home import platforms_of
from minreg.web.page.parts import Part, cell, image_path, link, query, short_digest, shown, table
from minreg.words import format_size

PAGE = 50
"""Tags on a page."""

_HEADINGS = (
    ("Tag", "name"),
    ("Platforms", "platforms"),
    ("Digest", "digest"),
    ("Size", "number"),
)


class Tags:
    """The rows of a repository's tags, each made when its turn comes.

    Args:
        store: Which has the repository.
        disk: Where it is looked at.
        repository: Its name.
    """

    def __init__(self, store: IRegistryStore, disk: Disk, repository: str) -> None:
        self._store = store
        self._disk = disk
        self._repository = repository

    def table(self, names: Sequence[str]) -> Tag:
        """Make the table."""
        return table(_HEADINGS, self._rows(names))

    def navigation(self, names: Sequence[str], *, goes_on: bool, after: str) -> Tag:
        """Lead to the other parts of the list."""
        path = image_path(self._repository)
        steps = [link(path, "← First")] if after else []
        if goes_on:
            steps.append(link(query(path, {"after": names[-1]}), "Next →", rel="next"))
        return tags.nav(steps, class_="pages", **{"aria-label": "Pages"})

    def _rows(self, names: Sequence[str]) -> Iterator[Deferred[Part]]:
        for name in names:
            yield Deferred.fromCoroutine(self._row(name))

    async def _row(self, tag: str) -> Part:
        try:
            image = await self._disk.run(self._look, tag)
        except RepositoryNotFound:
            return ""
        flag = tags.span(" incomplete", class_="flag") if image.problems else ""
        return tags.tr(
            cell("name", link(image_path(self._repository, tag), shown(tag)), flag),
            cell(
                "platforms",
                platforms_of(image.present),
                platforms_of(image.absent, class_="absent"),
            ),
            cell("digest", "" if image.root is None else short_digest(image.root)),
            cell("number", format_size(image.size)),
        )

    def _look(self, tag: str) -> HeldImage:
        return look_at_image(self._store.find_repository(None, self._repository), tag)
