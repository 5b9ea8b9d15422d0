"""Small parts of pages.

What came from outside is escaped twice: here what is not printable, and by
``twisted.web.template`` what means something in HTML.
"""

import importlib.resources
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from twisted.web.error import FlattenerError
from twisted.web.template import Tag, flattenString, tags

from minreg import __version__
from minreg.oci.names import Digest
from minreg.text import printable
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.status.not_found import join_reference

Part = Tag | str

IMAGES = "/minreg/images/"
MISSING = "/minreg/missing"
_LONGEST = 400
_DIGEST_SHOWN = 12


def shown(text: str) -> str:
    """Make text from elsewhere fit to be shown."""
    return printable(text, _LONGEST)


def link(target: str, text: Part, **attributes: str) -> Tag:
    """Link to a place on this site."""
    return tags.a(text, href=target, **attributes)


def image_path(repository: str, reference: str | Digest = "") -> str:
    """Name the place of an image's page, or of its repository's."""
    name = join_reference(repository, reference) if reference else repository
    return IMAGES + quote(name, safe="/:@")


def query(path: str, values: Mapping[str, str]) -> str:
    """Write a path with those values of a query that are not empty."""
    given = {name: text for name, text in values.items() if text}
    return f"{path}?{urlencode(given)}" if given else path


def short_digest(digest: Digest) -> Tag:
    """Show the beginning of a digest; the rest is there when it is pointed at."""
    return tags.code(digest.encoded[:_DIGEST_SHOWN], title=str(digest))


def time_of(seconds: float) -> Tag:
    """Show a time, given in seconds since the epoch."""
    try:
        when = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return tags.span("—")
    return tags.time(
        when.strftime("%Y-%m-%d"),
        tags.span(when.strftime(" %H:%M"), class_="minute"),
        datetime=when.isoformat(),
        title=when.strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


def to_paste(text: str) -> Tag:
    """Show lines that are all selected by one click."""
    return tags.pre(text, class_="paste")


def table(headings: Iterable[tuple[str, str]], rows: Any) -> Tag:
    """Make a table.

    Args:
        headings: Of each column, with its class.
        rows: Tags of rows, or whatever gives these.
    """
    head = [tags.th(text, scope="col", class_=kind) for text, kind in headings]
    return tags.table(tags.thead(tags.tr(head)), tags.tbody(rows))


def cell(kind: str, *content: Any) -> Tag:
    """Make a cell of a table."""
    return tags.td(*content, class_=kind)


def facts(pairs: Iterable[tuple[str, Part]]) -> Tag:
    """List what is known of something."""
    return tags.dl([tags.div(tags.dt(name), tags.dd(value)) for name, value in pairs])


STYLE = f"/minreg/style.css?{__version__}"
"""Browsers keep the style sheet for a while; that of another version is another one."""

ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<rect width="16" height="16" rx="3" fill="#0a6657"/>'
    '<path d="M3 4h10v2H3zm0 3.5h10v2H3zM3 11h6v2H3z" fill="#fff"/></svg>',
    safe="/:=' ",
)
"""Three layers. It is a part of each page, so that no browser asks for ``/favicon.ico``."""

_DOCTYPE = b"<!DOCTYPE html>\n"


async def write_page(title: str, missed: int, *content: Any, here: str = "") -> bytes:
    """Write a page as HTML.

    Args:
        title: What it is about.
        missed: How many names are in the record of misses.
        content: What it says. Parts that come later are waited for, one after the other.
        here: The place of the page that the head links to, if this is one.
    """
    page = tags.html(
        tags.head(
            tags.meta(charset="utf-8"),
            tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
            tags.title(f"{shown(title)} · minreg"),
            tags.link(rel="stylesheet", href=STYLE),
            tags.link(rel="icon", href=ICON),
        ),
        tags.body(_header(missed, here), Tag("main")(*content), _footer()),
        lang="en",
    )
    return _DOCTYPE + await _flatten(page)


async def _flatten(page: Tag) -> bytes:
    try:
        return await flattenString(None, page)
    except FlattenerError as failed:
        # What went wrong while a part was made is what matters, and who may handle it.
        raise failed.args[0] from None


def _header(missed: int, here: str) -> Tag:
    return tags.header(
        link("/", "minreg", class_="mark"),
        _entry("/", "Repositories", here),
        _entry(MISSING, ["Missing ", tags.span(str(missed), class_="count")], here),
    )


def _entry(target: str, text: Part | list[Part], here: str) -> Tag:
    attributes = {"aria-current": "page"} if target == here else {}
    return tags.a(text, href=target, **attributes)


def _footer() -> Tag:
    return tags.footer(
        f"minreg {__version__}, a read-only registry. For programs: ",
        tags.code("/metrics"),
        ", ",
        tags.code("/readyz"),
        ", ",
        tags.code("/livez"),
        ".",
    )


class StyleResource(RegistryResource):
    """The style sheet of all pages."""

    isLeaf = True

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the style sheet."""
        request.setHeader(b"cache-control", b"max-age=3600")
        request.setHeader(b"x-content-type-options", b"nosniff")
        return request.respond(_read_style(), b"text/css; charset=utf-8")


@cache
def _read_style() -> bytes:
    return importlib.resources.files(__package__).joinpath("style.css").read_bytes()
