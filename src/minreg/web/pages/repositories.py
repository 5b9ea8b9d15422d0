"""The first page: which repositories there are, a part at a time, and a search."""

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.web.template import Tag, tags

from minreg.oci.platforms import Platform
from minreg.store.interfaces import IRegistryStore, RepositorySummary
from minreg.text import count, format_size
from minreg.web.disk import DiskIO
from minreg.web.pages.html import Part, cell, image_path, link, query, shown, time_of
from minreg.web.pages.search import Listed
from minreg.web.pages.tables import Rows, Subject

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


def rows_of(store: IRegistryStore, disk: DiskIO, clock: IReactorTime) -> Rows[RepositorySummary]:
    """Make the rows of the table of repositories.

    Args:
        store: Which has the repositories.
        disk: Where they are looked at.
        clock: Measures how long that takes.
    """

    def look(name: str) -> RepositorySummary:
        found: RepositorySummary = store.find_repository(None, name).summarize()
        return found

    return Rows(Subject(_HEADINGS, "", look, _cells_of, _flag_of), disk, clock)


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


def _flag_of(overview: RepositorySummary) -> str:
    return f"lacks {count(overview.missing, 'blob')}" if overview.missing else ""


def _cells_of(name: str, overview: RepositorySummary) -> list[Tag]:
    return [
        cell("tags", _tags_of(name, overview)),
        cell("platforms", platforms_of(overview.platforms)),
        cell("number", format_size(overview.size)),
        cell("time", time_of(overview.changed)),
    ]


def _tags_of(name: str, overview: RepositorySummary) -> list[Tag]:
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
