"""Looks through the names of repositories, a few at a time, so that nobody has to wait."""

from collections.abc import Iterator, Sequence
from itertools import islice

import attrs
from twisted.internet.interfaces import IReactorTime

from minreg.interfaces import IRegistryStore
from minreg.web.disk import Disk

_AT_A_TIME = 32
"""Names that are looked at before others get their turn."""

_PATIENCE = 3.0
"""Seconds after which a search shows what it has found so far."""


@attrs.frozen
class Listed:
    """A part of the list: names, and behind which one it goes on, if it may.

    ``is_exhausted`` is False where the search ended for want of time, not of room.
    """

    names: Sequence[str]
    following: str
    is_exhausted: bool


@attrs.define
class _Search:
    """A search under way."""

    names: Iterator[str]
    words: Sequence[str]
    found: list[str] = attrs.field(factory=list)
    last: str = ""
    is_done: bool = False


class Listing:
    """Looks through a store's names.

    Args:
        store: Whose names.
        disk: Where they are looked at.
        clock: Measures how long that takes.
    """

    def __init__(self, store: IRegistryStore, disk: Disk, clock: IReactorTime) -> None:
        self._store = store
        self._disk = disk
        self._clock = clock

    async def find(self, text: str, after: str, size: int) -> Listed:
        """Find the first names behind ``after`` that have all words of ``text`` in them.

        Args:
            text: Words, of which case does not matter; none finds all names.
            after: The name behind which to begin; empty for the beginning.
            size: How many names to find at most.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        begun = self._clock.seconds()
        names = await self._disk.run(self._store.iterate_repositories, after)
        search = _Search(names, text.lower().split())
        while True:
            await self._disk.run(_look_on, search, size + 1 - len(search.found))
            if search.is_done or len(search.found) > size:
                break
            if self._clock.seconds() - begun > _PATIENCE:
                return Listed(search.found, search.last, is_exhausted=False)
        following = search.found[size - 1] if len(search.found) > size else ""
        return Listed(search.found[:size], following, is_exhausted=True)


def _look_on(search: _Search, room: int) -> None:
    """Look at a few more names."""
    looked = 0
    for name in islice(search.names, _AT_A_TIME):
        looked += 1
        search.last = name
        if all(word in name for word in search.words):
            search.found.append(name)
            room -= 1
            if not room:
                return
    search.is_done = looked < _AT_A_TIME
