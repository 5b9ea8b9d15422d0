"""Elements that the pages share.

Text from requests and from the tree is escaped twice: ``escape`` replaces characters that are not
printable, and ``twisted.web.template`` escapes characters with a meaning in HTML.
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
from minreg.web.request import RegistryRequest, RegistryResource
from minreg.web.status.not_found import join_reference

Part = Tag | str

IMAGES = "/minreg/images/"
NOT_FOUND = "/minreg/missing"
_LONGEST_TEXT = 400
_DIGEST_LENGTH = 12


def escape(text: str) -> str:
    """Return a text from elsewhere with only printable characters, cut to a length that fits."""
    return printable(text, _LONGEST_TEXT)


def link(target: str, text: Part, **attributes: str) -> Tag:
    """Return a link to a path of this site."""
    return tags.a(text, href=target, **attributes)


def image_path(repository: str, reference: str | Digest = "") -> str:
    """Return the path of the page of an image or, without a reference, of a repository."""
    name = join_reference(repository, reference) if reference else repository
    return IMAGES + quote(name, safe="/:@")


def query(path: str, values: Mapping[str, str]) -> str:
    """Return a path with a query of those values that are not empty."""
    given = {name: text for name, text in values.items() if text}
    return f"{path}?{urlencode(given)}" if given else path


def short_digest(digest: Digest) -> Tag:
    """Return the beginning of a digest; its tooltip has the whole digest."""
    return tags.code(digest.encoded[:_DIGEST_LENGTH], title=str(digest))


def format_date(seconds: float) -> Tag:
    """Return a date and time in UTC, to the minute; the tooltip has the seconds.

    Args:
        seconds: The time, in seconds since the epoch.
    """
    try:
        moment = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return tags.span("—")
    return tags.time(
        moment.strftime("%Y-%m-%d"),
        tags.span(moment.strftime(" %H:%M"), class_="minute"),
        datetime=moment.isoformat(),
        title=moment.strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


def to_paste(text: str) -> Tag:
    """Return lines to copy: one click selects all of them."""
    return tags.pre(text, class_="paste")


def table(headings: Iterable[tuple[str, str]], rows: Any) -> Tag:
    """Return a table.

    Args:
        headings: The heading of each column, with its CSS class.
        rows: The rows: tags, or anything that the template renders as tags.
    """
    head = [tags.th(text, scope="col", class_=kind) for text, kind in headings]
    return tags.table(tags.thead(tags.tr(head)), tags.tbody(rows))


def cell(kind: str, *content: Any) -> Tag:
    """Return a cell of a table with a CSS class."""
    return tags.td(*content, class_=kind)


def facts(pairs: Iterable[tuple[str, Part]]) -> Tag:
    """Return a list of names with their values."""
    return tags.dl([tags.div(tags.dt(name), tags.dd(value)) for name, value in pairs])


STYLE = f"/minreg/style.css?{__version__}"
"""The version is in the URL because browsers cache the style sheet for an hour."""

ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<rect width="16" height="16" rx="3" fill="#0a6657"/>'
    '<path d="M3 4h10v2H3zm0 3.5h10v2H3zM3 11h6v2H3z" fill="#fff"/></svg>',
    safe="/:=' ",
)
"""It is part of each page, so that browsers do not request ``/favicon.ico``."""

_DOCTYPE = b"<!DOCTYPE html>\n"


async def write_page(title: str, not_found: int, *content: Any, here: str = "") -> bytes:
    """Return a page as HTML.

    Args:
        title: The title.
        not_found: The number of names in the not-found log, for the page's header.
        content: The content. Coroutines in it are awaited one after the other.
        here: The page's path if the header links to it.
    """
    page = tags.html(
        tags.head(
            tags.meta(charset="utf-8"),
            tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
            tags.title(f"{escape(title)} · minreg"),
            tags.link(rel="stylesheet", href=STYLE),
            tags.link(rel="icon", href=ICON),
        ),
        tags.body(_header(not_found, here), Tag("main")(*content), _footer()),
        lang="en",
    )
    return _DOCTYPE + await _flatten(page)


async def _flatten(page: Tag) -> bytes:
    try:
        return await flattenString(None, page)
    except FlattenerError as error:
        # Callers handle the error that a part of the page raised, not the template's wrapper.
        raise error.args[0] from None


def _header(not_found: int, here: str) -> Tag:
    return tags.header(
        link("/", "minreg", class_="mark"),
        _entry("/", "Repositories", here),
        _entry(NOT_FOUND, ["Not found ", tags.span(str(not_found), class_="count")], here),
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
