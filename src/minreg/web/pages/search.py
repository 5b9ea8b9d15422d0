"""Finding repositories by name, with a cache of the names.

Listing ten thousand directories takes a second. So the names are read in the background whenever
a list is shown, and a search usually has them.
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

REFRESH_INTERVAL = 30.0
"""Seconds after which cached names are read again in the background, if they are used."""

LONGEST_AGE = 60.0
"""Seconds after which cached names are no longer used."""

MOST_NAMES = 50_000
"""The largest number of cached names. They take about 5 MB."""

_TIMEOUT = 2.0
"""Seconds after which a search uses the names that have been read so far."""

_BATCH_SIZE = 1000
"""Names that are read from the tree in one call."""

_UNCACHED_NAMES = 2000
"""Names that one search reads and compares behind the cached ones."""


@attrs.define
class CachedNames:
    """Names of repositories.

    Attributes:
        started: When reading them started, in seconds of the clock.
        names: The names, in byte order.
        are_all: Whether the registry had no more.
    """

    started: float
    names: list[str] = attrs.field(factory=list)
    are_all: bool = False

    def covers(self, after: str) -> bool:
        """Return whether the next name after ``after`` can be found here."""
        return self.are_all or (bool(self.names) and self.names[-1] > after)


class NameCache:
    """A cache of the names of a store's repositories.

    Args:
        store: The store.
        disk: Runs the store's methods in threads.
        clock: Measures the age of the names.
    """

    _log = Logger(namespace="minreg.store")

    def __init__(self, store: IRegistryStore, disk: DiskIO, clock: IReactorTime) -> None:
        self._store = store
        self._disk = disk
        self._clock = clock
        self._cached: CachedNames | None = None
        self._reading: CachedNames | None = None
        self._waiting: list[Deferred[CachedNames]] = []

    def refresh(self) -> None:
        """Start reading the names, unless they are fresh or being read already."""
        if self._reading is None and self._age() > REFRESH_INTERVAL:
            self._reading = CachedNames(self._clock.seconds())
            deferred = Deferred.fromCoroutine(self._read(self._reading))
            deferred.addCallbacks(self._succeed, self._fail)

    async def fetch(self) -> CachedNames:
        """Return the names; if reading them takes long, those that have been read so far.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        if self._cached is not None and self._age() <= LONGEST_AGE:
            self.refresh()
            return self._cached
        deferred: Deferred[CachedNames] = Deferred()
        self._waiting.append(deferred)
        self.refresh()
        return await deferred.addTimeout(_TIMEOUT, self._clock, self._return_partial)

    def _age(self) -> float:
        """Return the age of the cached names, in seconds."""
        return inf if self._cached is None else self._clock.seconds() - self._cached.started

    async def _read(self, cached: CachedNames) -> CachedNames:
        iterator = await self._disk.run(self._store.iterate_repositories, "")
        while len(cached.names) < MOST_NAMES:
            batch = await self._disk.fetch_batch(iterator, _BATCH_SIZE)
            cached.names += batch
            if len(batch) < _BATCH_SIZE:
                cached.are_all = True
                break
        return cached

    def _succeed(self, cached: CachedNames) -> None:
        self._cached, self._reading = cached, None
        for deferred in self._take_waiting():
            deferred.callback(cached)

    def _fail(self, failure: Failure) -> None:
        self._reading = None
        if not failure.check(StoreUnavailable):
            self._log.failure("cannot list the repositories", failure)
        for deferred in self._take_waiting():
            deferred.errback(StoreUnavailable(failure.getErrorMessage()))

    def _take_waiting(self) -> list[Deferred[CachedNames]]:
        """Return the searches that still wait: a timeout or a lost client ends the wait."""
        waiting, self._waiting = self._waiting, []
        return [deferred for deferred in waiting if not deferred.called]

    def _return_partial(self, _result: object, _seconds: float) -> CachedNames:
        return self._reading or CachedNames(self._clock.seconds())


@attrs.frozen
class SearchResult:
    """A page of names.

    Attributes:
        names: The names.
        next_after: The name after which the next page begins; empty if this is the last page.
        is_exhausted: False if the search stopped before it found enough names or reached the end.
    """

    names: Sequence[str]
    next_after: str
    is_exhausted: bool


class RepositorySearch:
    """Lists and finds the names of a store's repositories.

    Args:
        store: The store.
        disk: Runs the store's methods in threads.
        clock: Measures the age of cached names.
    """

    def __init__(self, store: IRegistryStore, disk: DiskIO, clock: IReactorTime) -> None:
        self._store = store
        self._disk = disk
        self._cache = NameCache(store, disk, clock)

    async def list(self, after: str, size: int) -> SearchResult:
        """Return the first names after ``after``, read from the store.

        Args:
            after: A name; empty for the beginning.
            size: The largest number of names.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        iterator = await self._disk.run(self._store.iterate_repositories, after)
        return _first(await self._disk.fetch_batch(iterator, size + 1), size)

    def prefetch(self) -> None:
        """Start reading the names for a search that may follow."""
        self._cache.refresh()

    async def search(self, text: str, after: str, size: int) -> SearchResult:
        """Return the first names after ``after`` that contain all words of ``text``.

        Args:
            text: Words. Upper and lower case are the same.
            after: As for ``list``.
            size: As for ``list``.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        cached = await self._cache.fetch()
        if not cached.covers(after):
            iterator = await self._disk.run(self._store.iterate_repositories, after)
            batch = await self._disk.fetch_batch(iterator, _UNCACHED_NAMES)
            cached = CachedNames(cached.started, batch, are_all=len(batch) < _UNCACHED_NAMES)
        return await self._disk.run(_search, cached, text.lower().split(), after, size)


def page_of_names(names: Sequence[str], after: str, size: int) -> SearchResult:
    """Return the first of some sorted names after ``after``; see ``RepositorySearch.list``."""
    return _first(names[bisect_right(names, after) :], size)


def _first(names: Sequence[str], size: int) -> SearchResult:
    next_after = names[size - 1] if len(names) > size else ""
    return SearchResult(names[:size], next_after, is_exhausted=True)


def _search(cached: CachedNames, words: Sequence[str], after: str, size: int) -> SearchResult:
    # A copy, because this runs in a thread while more names may be added.
    names, are_all = list(cached.names), cached.are_all
    matches = names[bisect_right(names, after) :]
    for word in words:
        matches = [name for name in matches if word in name]
    if len(matches) > size or are_all:
        return _first(matches, size)
    return SearchResult(matches, names[-1] if names else after, is_exhausted=False)
