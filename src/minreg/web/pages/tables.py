"""Tables whose rows are looked up one after the other, each when the page comes to it.

Nothing that a row is about takes the page away: a row that cannot be made says why.
"""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.template import Tag, tags

from minreg.store.interfaces import ContentInvalid, RepositoryNotFound, StoreUnavailable, TooLarge
from minreg.web.disk import DiskIO
from minreg.web.pages.html import Part, cell, image_path, link, shown, table

Found = TypeVar("Found")

PATIENCE = 5.0
"""Seconds that all rows together may take; those that come later have only their names."""


@attrs.frozen
class Subject(Generic[Found]):
    """What the rows of a table are about.

    ``headings`` are those of the columns, each with its class; ``repository`` is the one
    whose tags the names are, empty if they are repositories themselves; ``look`` finds out
    about a name, in a thread; ``write`` makes a row's cells behind the first one; ``flag``
    what the first one has beside the name.
    """

    headings: Sequence[tuple[str, str]]
    repository: str
    look: Callable[[str], Found]
    write: Callable[[str, Found], list[Tag]]
    flag: Callable[[Found], str]


class Rows(Generic[Found]):
    """The rows of a table.

    Args:
        subject: What they are about.
        disk: Where that is looked at.
        clock: Measures how long it takes.
    """

    _log = Logger(namespace="minreg.store")

    def __init__(self, subject: Subject[Found], disk: DiskIO, clock: IReactorTime) -> None:
        self._subject = subject
        self._disk = disk
        self._clock = clock
        self._begun = clock.seconds()

    def table(self, names: Sequence[str]) -> Tag:
        """Make the table that has a row for each name."""
        return table(self._subject.headings, in_turn(names, self._row))

    async def _row(self, name: str) -> Part:
        if self._clock.seconds() - self._begun > PATIENCE:
            return self._bare_row(name, "quiet", "not looked at: the disk is slow")
        try:
            found = await self._disk.run(self._subject.look, name)
        except RepositoryNotFound:
            return ""
        except TooLarge:
            return self._bare_row(name, "quiet", "too much to sum up: look at its tags")
        except ContentInvalid as error:
            self._log.warn("{reason}", event="content_invalid", reason=str(error))
            return self._bare_row(name, "flag", "cannot be read: see the log")
        except StoreUnavailable as error:
            self._log.error("cannot look at {name}: {reason}", name=name, reason=str(error))
            return self._bare_row(name, "flag", "took too long to read: see the log")
        flag = self._subject.flag(found)
        first = cell("name", self._link(name), " ", tags.span(flag, class_="flag") if flag else "")
        return tags.tr(first, self._subject.write(name, found))

    def _bare_row(self, name: str, kind: str, reason: str) -> Tag:
        columns = len(self._subject.headings) - 1
        return tags.tr(
            cell("name", self._link(name)), tags.td(reason, class_=kind, colspan=f"{columns}")
        )

    def _link(self, name: str) -> Tag:
        repository = self._subject.repository
        return link(image_path(repository, name) if repository else image_path(name), shown(name))


def in_turn(
    names: Iterable[str], make: Callable[[str], Coroutine[Any, Any, Part]]
) -> Iterator[Coroutine[Any, Any, Part]]:
    """Make a part for each name, one after the other, when the page comes to it.

    A part that cannot be made ends the page with its error. Twisted awaits a coroutine
    itself; of a Deferred it would await a copy, and log the error of the original as unhandled.
    """
    for name in names:
        yield make(name)
