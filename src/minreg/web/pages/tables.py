"""Tables whose rows are read from the store one by one, while the page is written.

A row that cannot be read shows the reason, and the page continues with the next one.
"""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.template import Tag, tags

from minreg.store.interfaces import ContentInvalid, RepositoryNotFound, StoreUnavailable, TooLarge
from minreg.web.disk import DiskIO
from minreg.web.pages.html import Part, cell, escape, image_path, link, table

Item = TypeVar("Item")

TABLE_TIMEOUT = 5.0
"""Seconds for reading all rows. Rows after that have only their names."""


@attrs.frozen
class RowFormat(Generic[Item]):
    """How the rows of a table are read and written.

    Attributes:
        headings: The heading of each column, with its CSS class.
        repository: The repository whose tags the rows are about; empty if the rows are about
            repositories.
        read: Reads what a row shows, by its name. It is called in a thread.
        write: Returns the cells of a row after the first one.
        flag: Returns a warning to show beside the name, or an empty text.
    """

    headings: Sequence[tuple[str, str]]
    repository: str
    read: Callable[[str], Item]
    write: Callable[[str, Item], list[Tag]]
    flag: Callable[[Item], str]


class LazyTable(Generic[Item]):
    """A table whose rows are read while the page is written.

    Args:
        row_format: How rows are read and written.
        disk: Runs the reading in threads.
        clock: Measures the timeout.
    """

    _log = Logger(namespace="minreg.store")

    def __init__(self, row_format: RowFormat[Item], disk: DiskIO, clock: IReactorTime) -> None:
        self._format = row_format
        self._disk = disk
        self._clock = clock
        self._started = clock.seconds()

    def render(self, names: Sequence[str]) -> Tag:
        """Return the table with a row for each name."""
        return table(self._format.headings, render_each(names, self._row))

    async def _row(self, name: str) -> Part:
        if self._clock.seconds() - self._started > TABLE_TIMEOUT:
            return self._bare_row(name, "quiet", "not read: the disk is slow")
        try:
            item = await self._disk.run(self._format.read, name)
        except RepositoryNotFound:
            # It was removed after its name was listed.
            return ""
        except TooLarge:
            return self._bare_row(name, "quiet", "too large for a summary: open its tags")
        except ContentInvalid as error:
            self._log.warn("{reason}", event="content_invalid", reason=str(error))
            return self._bare_row(name, "flag", "cannot be read: see the log")
        except StoreUnavailable as error:
            self._log.error("cannot read {name}: {reason}", name=name, reason=str(error))
            return self._bare_row(name, "flag", "cannot be read in time: see the log")
        flag = self._format.flag(item)
        first = cell("name", self._link(name), " ", tags.span(flag, class_="flag") if flag else "")
        return tags.tr(first, self._format.write(name, item))

    def _bare_row(self, name: str, kind: str, reason: str) -> Tag:
        columns = len(self._format.headings) - 1
        return tags.tr(
            cell("name", self._link(name)), tags.td(reason, class_=kind, colspan=f"{columns}")
        )

    def _link(self, name: str) -> Tag:
        repository = self._format.repository
        path = image_path(repository, name) if repository else image_path(name)
        return link(path, escape(name))


def render_each(
    names: Iterable[str], render: Callable[[str], Coroutine[Any, Any, Part]]
) -> Iterator[Coroutine[Any, Any, Part]]:
    """Yield a coroutine for each name. The template awaits each before it requests the next.

    An exception of a coroutine ends the page. These are coroutines and not Deferreds: of a
    Deferred, Twisted awaits a copy, and logs the error of the original as unhandled.
    """
    for name in names:
        yield render(name)
