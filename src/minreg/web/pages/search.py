"""The names of all repositories, as they were not long ago: for searches.

To go through ten thousand directories takes a second. A page that is shown has them gone
through once more, so that the names are at hand when somebody searches.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import inf

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from minreg.store.interfaces import IRegistryStore, StoreUnavailable
from minreg.web.disk import DiskIO

FRESH = 30.0
"""Seconds that names are left as they are."""

USABLE = 60.0
"""Seconds after which names are too old to be searched; younger ones serve meanwhile."""

MOST_NAMES = 50_000
"""Names that are kept: some 5 MB."""

_PATIENCE = 2.0
"""Seconds that a search waits for names before it makes do with those that are there."""

_AT_A_TIME = 1000


@attrs.define
class Names:
    """Names of repositories, in order: all, or the first ones if there are more."""

    begun: float
    known: list[str] = attrs.field(factory=list)
    are_all: bool = False

    def reach_behind(self, name: str) -> bool:
        """Tell whether they say anything of what sorts behind a name."""
        return self.are_all or (bool(self.known) and self.known[-1] > name)


class NameIndex:
    """Keeps the names of a store's repositories.

    Args:
        store: Whose names.
        disk: Where they are looked at.
        clock: Measures how old they are.
    """

    _log = Logger(namespace="minreg.store")

    def __init__(self, store: IRegistryStore, disk: DiskIO, clock: IReactorTime) -> None:
        self._store = store
        self._disk = disk
        self._clock = clock
        self._names: Names | None = None
        self._coming: Names | None = None
        self._waiting: list[Deferred[Names]] = []

    def refresh(self) -> None:
        """Have the names gone through, unless that was done lately, or is under way."""
        if self._coming is None and self._age() > FRESH:
            self._coming = Names(self._clock.seconds())
            walk = Deferred.fromCoroutine(self._go_through(self._coming))
            walk.addCallbacks(self._arrive, self._give_up)

    async def recall(self) -> Names:
        """Return the names; those that are known so far, if it takes long to get all.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        if self._names is not None and self._age() <= USABLE:
            self.refresh()
            return self._names
        names: Deferred[Names] = Deferred()
        self._waiting.append(names)
        self.refresh()
        return await names.addTimeout(_PATIENCE, self._clock, self._make_do)

    def _age(self) -> float:
        """How old the names are, in seconds."""
        return inf if self._names is None else self._clock.seconds() - self._names.begun

    async def _go_through(self, names: Names) -> Names:
        walk = await self._disk.run(self._store.iterate_repositories, "")
        while len(names.known) < MOST_NAMES:
            few = await self._disk.fetch_batch(walk, _AT_A_TIME)
            names.known += few
            if len(few) < _AT_A_TIME:
                names.are_all = True
                break
        return names

    def _arrive(self, names: Names) -> None:
        self._names, self._coming = names, None
        for waiting in self._take_waiting():
            waiting.callback(names)

    def _give_up(self, failure: Failure) -> None:
        self._coming = None
        if not failure.check(StoreUnavailable):
            self._log.failure("cannot list the repositories", failure)
        for each in self._take_waiting():
            each.errback(StoreUnavailable(failure.getErrorMessage()))

    def _take_waiting(self) -> list[Deferred[Names]]:
        """Take those that still wait: neither too long, nor for a client that has left."""
        waiting, self._waiting = self._waiting, []
        return [each for each in waiting if not each.called]

    def _make_do(self, _result: object, _seconds: float) -> Names:
        return self._coming or Names(self._clock.seconds())


_NAMES_AT_A_TIME = 2000
"""Names that one page looks through where none are kept."""


@attrs.frozen
class Listed:
    """A part of the list: names, and the name after which the next part begins, if there is one.

    ``is_exhausted`` is False where the search ended for want of names, not of room.
    """

    names: Sequence[str]
    following: str
    is_exhausted: bool


class Listing:
    """Finds the names of a store's repositories.

    Args:
        store: Whose names.
        disk: Where they are looked at.
        clock: Measures how old they are.
    """

    def __init__(self, store: IRegistryStore, disk: DiskIO, clock: IReactorTime) -> None:
        self._store = store
        self._disk = disk
        self._index = NameIndex(store, disk, clock)

    async def list(self, after: str, size: int) -> Listed:
        """Find the first names behind ``after``, as they are at this moment.

        Args:
            after: The name behind which to begin; empty for the beginning.
            size: How many names to find at most.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        walk = await self._disk.run(self._store.iterate_repositories, after)
        return _cut(await self._disk.fetch_batch(walk, size + 1), size)

    def make_ready(self) -> None:
        """Have names at hand: who looks at a list may search it next."""
        self._index.refresh()

    async def search(self, text: str, after: str, size: int) -> Listed:
        """Find the first names behind ``after`` that have all words of ``text`` in them.

        Args:
            text: Words, of which case does not matter.
            after: As for ``list``.
            size: As for ``list``.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        names = await self._index.recall()
        if not names.reach_behind(after):
            walk = await self._disk.run(self._store.iterate_repositories, after)
            few = await self._disk.fetch_batch(walk, _NAMES_AT_A_TIME)
            names = Names(names.begun, few, are_all=len(few) < _NAMES_AT_A_TIME)
        return await self._disk.run(_search, names, text.lower().split(), after, size)


def cut_names(names: Sequence[str], after: str, size: int) -> Listed:
    """Take the first names behind ``after`` of names in order; see ``Listing.list``."""
    return _cut(names[bisect_right(names, after) :], size)


def _cut(names: Sequence[str], size: int) -> Listed:
    following = names[size - 1] if len(names) > size else ""
    return Listed(names[:size], following, is_exhausted=True)


def _search(names: Names, words: Sequence[str], after: str, size: int) -> Listed:
    known, are_all = list(names.known), names.are_all
    found = known[bisect_right(known, after) :]
    for word in words:
        found = [name for name in found if word in name]
    if len(found) > size or are_all:
        return _cut(found, size)
    return Listed(found, known[-1] if known else after, is_exhausted=False)
