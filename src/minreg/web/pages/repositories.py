"""The first page: which repositories there are, a part at a time, and a search."""

from collections.abc import Mapping, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.web.template import Tag, tags

from minreg.oci.platforms import Platform
from minreg.store.interfaces import IRegistryStore, RepositorySummary
from minreg.text import count, format_size
from minreg.web.disk import DiskIO
from minreg.web.pages.html import Part, cell, image_path, link, query, shown, time_of
from minreg.web.pages.search import Listed
from minreg.web.pages.tables import Rows, Subject
from minreg.web.pages.tags import sort_tags

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
    ("Changed (UTC)", "time changed"),
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


def navigation(listed: Listed, chosen: Mapping[str, str], after: str) -> Tag:
    """Link to the other parts of the list.

    Args:
        listed: The part that is shown.
        chosen: The values of the query that say which repositories are in the list.
        after: The name after which the part that is shown begins.
    """
    steps: list[Part] = []
    if after:
        steps.append(link(query("/", chosen), "← First"))
    if listed.following:
        following = query("/", {**chosen, "after": listed.following})
        steps.append(
            link(following, "Next →" if listed.is_exhausted else "Search on →", rel="next")
        )
    return tags.nav(steps, class_="pages", **{"aria-label": "Pages"})


def _flag_of(overview: RepositorySummary) -> str:
    flags = []
    if overview.missing:
        flags.append(f"lacks {count(overview.missing, 'blob')}")
    if overview.broken:
        flags.append(count(overview.broken, "broken manifest"))
    return ", ".join(flags)


def _cells_of(name: str, overview: RepositorySummary) -> list[Tag]:
    return [
        cell("tags", _tags_of(name, overview)),
        cell("platforms", platforms_of(overview.platforms)),
        cell("number", format_size(overview.size)),
        cell("time changed", time_of(overview.changed)),
    ]


def _tags_of(name: str, overview: RepositorySummary) -> list[Tag]:
    newest = sort_tags(overview.tags)[:_TAGS_SHOWN]
    parts = [link(image_path(name, tag), shown(tag)) for tag in newest]
    more = len(overview.tags) - len(newest)
    if more:
        parts.append(tags.span(f"and {more} more", class_="quiet"))
    return parts


def platforms_of(platforms: Sequence[Platform]) -> list[Tag]:
    """Show platforms; few, where there are many."""
    names = [shown(str(platform)) for platform in platforms[:_PLATFORMS_SHOWN]]
    parts = [tags.span(name.removeprefix(_USUAL), title=name) for name in names]
    if len(platforms) > len(names):
        parts.append(tags.span(f"and {len(platforms) - len(names)} more"))
    return parts
