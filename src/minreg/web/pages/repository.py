"""The page of one repository: its tags, each with what it names."""

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.web.template import Tag, tags

from minreg.store.images import StoredImage, inspect_image
from minreg.store.interfaces import IRegistryStore
from minreg.text import format_size
from minreg.web.disk import DiskIO
from minreg.web.pages.html import cell, image_path, link, query, short_digest
from minreg.web.pages.repositories import platforms_of
from minreg.web.pages.tables import Rows, Subject

PAGE = 50
"""Tags on a page."""

_HEADINGS = (
    ("Tag", "name"),
    ("Platforms", "platforms"),
    ("Digest", "digest"),
    ("Size", "number"),
)


def rows_of(
    store: IRegistryStore, disk: DiskIO, clock: IReactorTime, repository: str
) -> Rows[StoredImage]:
    """Make the rows of the table of a repository's tags.

    Args:
        store: Which has the repository.
        disk: Where it is looked at.
        clock: Measures how long that takes.
        repository: Its name.
    """

    def look(tag: str) -> StoredImage:
        return inspect_image(store.find_repository(None, repository), tag)

    return Rows(Subject(_HEADINGS, repository, look, _cells_of, _flag_of), disk, clock)


def navigation(repository: str, names: Sequence[str], *, goes_on: bool, after: str) -> Tag:
    """Lead to the other parts of the list."""
    path = image_path(repository)
    steps = [link(path, "← First")] if after else []
    if goes_on:
        steps.append(link(query(path, {"after": names[-1]}), "Next →", rel="next"))
    return tags.nav(steps, class_="pages", **{"aria-label": "Pages"})


def _flag_of(image: StoredImage) -> str:
    return "incomplete" if image.problems else ""


def _cells_of(_tag: str, image: StoredImage) -> list[Tag]:
    return [
        cell(
            "platforms", platforms_of(image.present), platforms_of(image.absent, class_="absent")
        ),
        cell("digest", "" if image.root is None else short_digest(image.root)),
        cell("number", format_size(image.size)),
    ]
