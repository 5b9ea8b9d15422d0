"""Small parts of pages.

What came from outside is escaped twice: here what is not printable, and by
``twisted.web.template`` what means something in HTML.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from twisted.web.template import Tag, tags

from minreg.names import Digest
from minreg.web.status.wanted import join_reference
from minreg.words import printable

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
