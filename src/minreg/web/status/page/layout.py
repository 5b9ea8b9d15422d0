"""What all pages have in common: head, foot, and how they become bytes."""

from typing import Any
from urllib.parse import quote

from twisted.web.error import FlattenerError
from twisted.web.template import Tag, flattenString, tags

from minreg import __version__
from minreg.web.status.page.parts import MISSING, Part, link, shown

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
