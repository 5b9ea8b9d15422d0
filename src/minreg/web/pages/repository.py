"""The page of one repository: its tags, each with what it names."""

from collections.abc import Sequence

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.web.template import Tag, tags

from minreg.store.dates import ImageDate, find_date
from minreg.store.images import StoredImage, inspect_image
from minreg.store.interfaces import IRegistryStore
from minreg.text import format_size
from minreg.web.disk import DiskIO
from minreg.web.pages.html import Part, cell, image_path, link, query, short_digest, time_of
from minreg.web.pages.repositories import platforms_of
from minreg.web.pages.tables import Rows, Subject

PAGE = 50
"""Tags on a page."""

_HEADINGS = (
    ("Tag", "name"),
    ("Platforms", "platforms"),
    ("Digest", "digest"),
    ("Size", "number"),
    ("Created (UTC)", "time created"),
)


@attrs.frozen
class TaggedImage:
    """What the row of a tag shows: the image, and its date if there is one."""

    image: StoredImage
    date: ImageDate | None


def rows_of(
    store: IRegistryStore, disk: DiskIO, clock: IReactorTime, repository: str
) -> Rows[TaggedImage]:
    """Make the rows of the table of a repository's tags.

    Args:
        store: Which has the repository.
        disk: Where it is looked at.
        clock: Measures how long that takes.
        repository: Its name.
    """

    def look(tag: str) -> TaggedImage:
        kept = store.find_repository(None, repository)
        image = inspect_image(kept, tag)
        return TaggedImage(image, find_date(kept, image))

    return Rows(Subject(_HEADINGS, repository, look, _cells_of, _flag_of), disk, clock)


def navigation(repository: str, names: Sequence[str], *, goes_on: bool, after: str) -> Tag:
    """Link to the other parts of the list."""
    path = image_path(repository)
    steps = [link(path, "← First")] if after else []
    if goes_on:
        steps.append(link(query(path, {"after": names[-1]}), "Next →", rel="next"))
    return tags.nav(steps, class_="pages", **{"aria-label": "Pages"})


def explain_dates() -> Tag:
    """Say which dates the table has."""
    return tags.p(
        "Created is the date that an image states itself. Where it states none, “stored” is the "
        "date of its file here.",
        class_="quiet note",
    )


def _date_cell(date: ImageDate | None) -> Tag:
    if date is None:
        return cell("time")
    if date.is_stated:
        return cell("time created", time_of(date.seconds))
    return cell("time", tags.span("stored ", class_="quiet"), time_of(date.seconds))


def _flag_of(tagged: TaggedImage) -> str:
    return "incomplete" if tagged.image.problems else ""


def _cells_of(_tag: str, tagged: TaggedImage) -> list[Tag]:
    image = tagged.image
    absent: Part = ""
    if image.absent:
        absent = tags.span("not stored: ", platforms_of(image.absent), class_="absent")
    return [
        cell("platforms", platforms_of(image.present), absent),
        cell("digest", "" if image.root is None else short_digest(image.root)),
        cell("number", format_size(image.size)),
        _date_cell(tagged.date),
    ]
