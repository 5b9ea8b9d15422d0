"""The list of repositories, and the list of the tags of a repository."""

from collections.abc import Mapping, Sequence

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.web.template import Tag, tags

from minreg.oci.platforms import Platform
from minreg.store.dates import ImageDate, find_date
from minreg.store.images import StoredImage, inspect_image
from minreg.store.interfaces import IRegistryStore, RepositorySummary
from minreg.text import count, format_size
from minreg.web.disk import DiskIO
from minreg.web.pages.html import (
    Part,
    cell,
    escape,
    format_date,
    image_path,
    link,
    query,
    short_digest,
)
from minreg.web.pages.search import SearchResult
from minreg.web.pages.tables import LazyTable, RowFormat
from minreg.web.pages.tags import sort_tags

PAGE_SIZE = 50
"""Repositories, or tags, on a page."""

_MOST_TAGS = 4
_MOST_PLATFORMS = 6
_USUAL_OS = "linux/"
_REPOSITORY_HEADINGS = (
    ("Repository", "name"),
    ("Tags", "tags"),
    ("Platforms", "platforms"),
    ("Size", "number"),
    ("Changed (UTC)", "time changed"),
)
_TAG_HEADINGS = (
    ("Tag", "name"),
    ("Platforms", "platforms"),
    ("Digest", "digest"),
    ("Size", "number"),
    ("Created (UTC)", "time created"),
)


def search_form(text: str) -> Tag:
    """Return the form for a search.

    Args:
        text: The text of the current search, or an empty text.
    """
    return tags.form(
        tags.input(
            type="search",
            name="q",
            value=escape(text),
            placeholder="Part of a name",
            maxlength="255",
            **{"aria-label": "Search repositories"},
        ),
        tags.button("Search", type="submit"),
        method="get",
        action="/",
        role="search",
    )


def repository_table(
    store: IRegistryStore, disk: DiskIO, clock: IReactorTime
) -> LazyTable[RepositorySummary]:
    """Return the table of repositories.

    Args:
        store: The store that has the repositories.
        disk: Runs the store's methods in threads.
        clock: Measures the timeout of the table.
    """

    def read_row(name: str) -> RepositorySummary:
        summary: RepositorySummary = store.find_repository(None, name).summarize()
        return summary

    row_format = RowFormat(_REPOSITORY_HEADINGS, "", read_row, _summary_cells, _summary_flag)
    return LazyTable(row_format, disk, clock)


def repository_navigation(result: SearchResult, filters: Mapping[str, str], after: str) -> Tag:
    """Return the links to the other pages of the list of repositories.

    Args:
        result: The page that is shown.
        filters: The parameters of the query that filter the list.
        after: The name after which the page that is shown begins.
    """
    links: list[Part] = []
    if after:
        links.append(link(query("/", filters), "← First"))
    if result.next_after:
        path = query("/", {**filters, "after": result.next_after})
        text = "Next →" if result.is_exhausted else "Continue the search →"
        links.append(link(path, text, rel="next"))
    return _navigation(links)


def _summary_flag(summary: RepositorySummary) -> str:
    flags = []
    if summary.missing:
        flags.append(f"lacks {count(summary.missing, 'blob')}")
    if summary.broken:
        flags.append(count(summary.broken, "broken manifest"))
    return ", ".join(flags)


def _summary_cells(name: str, summary: RepositorySummary) -> list[Tag]:
    return [
        cell("tags", _newest_tags(name, summary)),
        cell("platforms", _platforms(summary.platforms)),
        cell("number", format_size(summary.size)),
        cell("time changed", format_date(summary.changed)),
    ]


def _newest_tags(name: str, summary: RepositorySummary) -> list[Tag]:
    newest = sort_tags(summary.tags)[:_MOST_TAGS]
    parts = [link(image_path(name, tag), escape(tag)) for tag in newest]
    more = len(summary.tags) - len(newest)
    if more:
        parts.append(tags.span(f"and {more} more", class_="quiet"))
    return parts


def _platforms(platforms: Sequence[Platform]) -> list[Tag]:
    """Return the first platforms, without ``linux/``, and the number of the others."""
    names = [escape(str(platform)) for platform in platforms[:_MOST_PLATFORMS]]
    parts = [tags.span(name.removeprefix(_USUAL_OS), title=name) for name in names]
    if len(platforms) > len(names):
        parts.append(tags.span(f"and {len(platforms) - len(names)} more"))
    return parts


@attrs.frozen
class TaggedImage:
    """What the row of a tag shows.

    Attributes:
        image: The image.
        date: When it was created or stored; None if that is unknown.
    """

    image: StoredImage
    date: ImageDate | None


def tag_table(
    store: IRegistryStore, disk: DiskIO, clock: IReactorTime, name: str
) -> LazyTable[TaggedImage]:
    """Return the table of a repository's tags.

    Args:
        store: The store that has the repository.
        disk: Runs the store's methods in threads.
        clock: Measures the timeout of the table.
        name: The repository's name.
    """

    def read_row(tag: str) -> TaggedImage:
        repository = store.find_repository(None, name)
        image = inspect_image(repository, tag)
        return TaggedImage(image, find_date(repository, image))

    return LazyTable(RowFormat(_TAG_HEADINGS, name, read_row, _tag_cells, _tag_flag), disk, clock)


def tag_navigation(name: str, page: Sequence[str], *, has_more: bool, after: str) -> Tag:
    """Return the links to the other pages of the list of tags.

    Args:
        name: The repository's name.
        page: The tags of the page that is shown.
        has_more: Whether there are more tags after them.
        after: The tag after which the page that is shown begins.
    """
    path = image_path(name)
    links: list[Part] = [link(path, "← First")] if after else []
    if has_more:
        links.append(link(query(path, {"after": page[-1]}), "Next →", rel="next"))
    return _navigation(links)


def explain_dates() -> Tag:
    """Return the note about the dates in the table of tags."""
    return tags.p(
        "Created is the date in the image's config. If it has none, “stored” is the date of the "
        "manifest's file.",
        class_="quiet note",
    )


def _date_cell(date: ImageDate | None) -> Tag:
    if date is None:
        return cell("time")
    if date.is_stated:
        return cell("time created", format_date(date.seconds))
    return cell("time", tags.span("stored ", class_="quiet"), format_date(date.seconds))


def _tag_flag(tagged: TaggedImage) -> str:
    return "incomplete" if tagged.image.problems else ""


def _tag_cells(_tag: str, tagged: TaggedImage) -> list[Tag]:
    image = tagged.image
    absent: Part = ""
    if image.absent:
        absent = tags.span("not stored: ", _platforms(image.absent), class_="absent")
    return [
        cell("platforms", _platforms(image.present), absent),
        cell("digest", "" if image.root is None else short_digest(image.root)),
        cell("number", format_size(image.size)),
        _date_cell(tagged.date),
    ]


def _navigation(links: list[Part]) -> Tag:
    return tags.nav(links, class_="pages", **{"aria-label": "Pages"})
