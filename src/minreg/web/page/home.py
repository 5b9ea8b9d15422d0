"""The first page: which repositories there are, a part at a time, and a search."""

from collections.abc import Iterator, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.template import Tag, tags

from minreg.interfaces import (
    ContentBroken,
    IRegistryStore,
    Overview,
    RepositoryNotFound,
)
from minreg.manifests import Platform
from minreg.web.disk import Disk
from minreg.web.page.listing import Listed
from minreg.web.page.parts import (
    Part,
    cell,
    image_path,
    link,
    query,
    shown,
    table,
    time_of,
)
from minreg.words import count, format_size

PAGE = 50
"""Repositories on a page."""

_TAGS_SHOWN = 4
_PLATFORMS_SHOWN = 6
_USUAL = "linux/"
_HEADINGS = (
    ("Repository", "name"),
    ("Tags", "tags"),
    ("Platforms", "platforms"),
    ("Size", "number"),
    ("Changed (UTC)", "time"),
)


def search_form(text: str) -> Tag:
    """Make the form for a search."""
    return tags.form(
        tags.input(
            type="search",
            name="q",
            value=shown(text),
            placeholder="Part of a name",
            maxlength="255",
            **{"aria-label": "Search repositories"},
        ),
        tags.button("Search", type="submit"),
        method="get",
        action="/",
        role="search",
    )


class Rows:
    """The rows of the table of repositories, each made when its turn comes.

    Args:
        store: Which has the repositories.
        disk: Where they are looked at.
    """

    _log = Logger(namespace="minreg.store")

    def __init__(self, store: IRegistryStore, disk: Disk) -> None:
        self._store = store
        self._disk = disk

    def table(self, listed: Listed) -> Tag:
        """Make the table."""
        return table(_HEADINGS, self._rows(listed))

    def _rows(self, listed: Listed) -> Iterator[Deferred[Part]]:
        for name in listed.names:
            yield Deferred.fromCoroutine(self._row(name))

    async def _row(self, name: str) -> Part:
        try:
            overview = await self._disk.run(self._sum_up, name)
        except RepositoryNotFound:
            return ""
        except ContentBroken as error:
            self._log.warn("{reason}", event="broken", reason=str(error))
            return tags.tr(cell("name", shown(name)), cell("flag", "cannot be read: see the log"))
        return _row_of(name, overview)

    def _sum_up(self, name: str) -> Overview:
        found: Overview = self._store.find_repository(None, name).sum_up()
        return found


def navigation(listed: Listed, text: str, after: str) -> Tag:
    """Lead to the other parts of the list."""
    steps: list[Part] = []
    if after:
        steps.append(link(query("/", {"q": text}), "← First"))
    if listed.following:
        following = query("/", {"q": text, "after": listed.following})
        steps.append(
            link(following, "Next →" if listed.is_exhausted else "Search on →", rel="next")
        )
    return tags.nav(steps, class_="pages", **{"aria-label": "Pages"})


def _row_of(name: str, overview: Overview) -> Tag:
    flag: list[Part] = []
    if overview.missing:
        flag = [" ", tags.span(f"lacks {count(overview.missing, 'blob')}", class_="flag")]
    return tags.tr(
        cell("name", link(image_path(name), shown(name)), flag),
        cell("tags", _tags_of(name, overview)),
        cell("platforms", platforms_of(overview.platforms)),
        cell("number", format_size(overview.size)),
        cell("time", time_of(overview.changed)),
    )


def _tags_of(name: str, overview: Overview) -> list[Tag]:
    # The last ones are most often the newest.
    newest = overview.tags[-_TAGS_SHOWN:]
    parts = [link(image_path(name, tag), shown(tag)) for tag in reversed(newest)]
    more = len(overview.tags) - len(newest)
    if more:
        parts.append(tags.span(f"and {more} more", class_="quiet"))
    return parts


def platforms_of(platforms: Sequence[Platform], **attributes: str) -> list[Tag]:
    """Show platforms; few, where there are many."""
    names = [shown(str(platform)) for platform in platforms[:_PLATFORMS_SHOWN]]
    parts = [tags.span(name.removeprefix(_USUAL), title=name, **attributes) for name in names]
    if len(platforms) > len(names):
        parts.append(tags.span(f"and {len(platforms) - len(names)} more"))
    return parts
