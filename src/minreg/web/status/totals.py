"""How much the registry holds in all: counted in the background, one repository at a time.

A count of ten thousand repositories takes half a minute or more of a thread's time. So it is
never made for a request: a request starts a count if the last one is old, and gets the result
of the last one. Between two repositories the count pauses for longer than it worked, so that pulls
find the disk and the interpreter free.
"""

import time
from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from minreg.store.interfaces import (
    ContentInvalid,
    IRegistryStore,
    RepositoryNotFound,
    RepositorySummary,
    StoreUnavailable,
    TooLarge,
)
from minreg.web.disk import DiskIO

SHORTEST_INTERVAL = 60.0
"""Seconds from the end of a count to the next one, at least."""

INTERVAL_FACTOR = 20.0
"""The interval in multiples of what the count took, where that is longer: counts take at most
a twentieth of the time, however large the registry is."""

RETRY_INTERVAL = 5.0
"""Seconds from the end of a count that failed to the next one, at least."""

PAUSE_FACTOR = 2.0
"""The pause behind each repository, in multiples of the time that it took."""

_BATCH_SIZE = 250
"""Names that are read from the tree at once."""


@attrs.frozen
class RegistryTotals:
    """What the registry holds in all.

    ``images`` and ``repositories`` are numbers; ``size`` is that of all manifests and blobs in
    bytes, each counted once; ``incomplete`` are the names of the repositories that lack
    something, or that cannot be read, in the order of their bytes; ``uncounted`` is the number of
    repositories whose content is not in the other numbers because they cannot be read or have
    too many manifests; ``counted_at`` is when the count ended, in seconds since the epoch.
    """

    images: int
    repositories: int
    size: int
    incomplete: tuple[str, ...]
    uncounted: int
    counted_at: float


@attrs.define
class _Sums:
    """The sums of a count that is under way.

    ``contents`` are the hashes of the digests that are in ``size``: 64 bits of each are enough
    to tell them apart, and take a fifth of the memory.
    """

    images: int = 0
    repositories: int = 0
    size: int = 0
    incomplete: list[str] = attrs.field(factory=list)
    uncounted: int = 0
    contents: set[int] = attrs.field(factory=set)

    def add(self, name: str, overview: RepositorySummary) -> None:
        """Add a repository."""
        self.repositories += 1
        self.images += overview.images
        if not overview.is_complete:
            self.incomplete.append(name)
        for digest, size in overview.sizes.items():
            content = hash(digest)
            if content not in self.contents:
                self.contents.add(content)
                self.size += size

    def add_uncounted(self, name: str, *, is_readable: bool) -> None:
        """Add a repository of which nothing but the name is known."""
        self.repositories += 1
        self.uncounted += 1
        if not is_readable:
            self.incomplete.append(name)

    def freeze(self, counted_at: float) -> RegistryTotals:
        """Return the totals."""
        return RegistryTotals(
            self.images,
            self.repositories,
            self.size,
            tuple(self.incomplete),
            self.uncounted,
            counted_at,
        )


class TotalsCounter:
    """Counts what a store holds, and keeps the result.

    Args:
        store: The store.
        disk: Runs the reading in threads.
        clock: Measures intervals and makes the pauses.
        now: Returns the time in seconds since the epoch.
    """

    _log = Logger(namespace="minreg.store")

    def __init__(
        self,
        store: IRegistryStore,
        disk: DiskIO,
        clock: IReactorTime,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._disk = disk
        self._clock = clock
        self._now = now
        self._totals: RegistryTotals | None = None
        self._next = 0.0
        self._begun = 0.0
        self._is_counting = False
        self._waiting: list[Deferred[None]] = []

    @property
    def totals(self) -> RegistryTotals | None:
        """The result of the last count; None if no count has ended yet."""
        return self._totals

    def refresh(self) -> None:
        """Start a count if the last one is old and none is under way."""
        if self._is_counting or self._clock.seconds() < self._next:
            return
        self._is_counting = True
        self._begun = self._clock.seconds()
        counting = Deferred.fromCoroutine(self._count())
        counting.addErrback(self._fail)
        counting.addCallback(self._end)

    async def fetch(
        self,
        timeout: float,  # noqa: ASYNC109 - that is about asyncio
    ) -> RegistryTotals | None:
        """Return the result of the last count, and start a new one if that is old.

        Args:
            timeout: For how many seconds from the start of the first count to wait for its end.

        Returns:
            None if the first count has not ended within that time, or has failed.
        """
        self.refresh()
        remaining = self._begun + timeout - self._clock.seconds()
        if self._totals is None and self._is_counting and remaining > 0:
            ended: Deferred[None] = Deferred()
            self._waiting.append(ended)
            await ended.addTimeout(remaining, self._clock, _ignore_timeout)
        return self._totals

    async def _count(self) -> None:
        sums = _Sums()
        names = await self._disk.run(self._store.iterate_repositories, "")
        while batch := await self._disk.fetch_batch(names, _BATCH_SIZE):
            for name in batch:
                started = self._clock.seconds()
                await self._add(sums, name)
                pause = (self._clock.seconds() - started) * PAUSE_FACTOR
                await deferLater(self._clock, pause)
        self._totals = sums.freeze(self._now())
        taken = self._clock.seconds() - self._begun
        self._next = self._clock.seconds() + max(SHORTEST_INTERVAL, taken * INTERVAL_FACTOR)

    async def _add(self, sums: _Sums, name: str) -> None:
        try:
            overview = await self._disk.run(self._summarize, name)
        except RepositoryNotFound:
            return
        except TooLarge:
            sums.add_uncounted(name, is_readable=True)
        except ContentInvalid:
            sums.add_uncounted(name, is_readable=False)
        else:
            sums.add(name, overview)

    def _summarize(self, name: str) -> RepositorySummary:
        overview: RepositorySummary = self._store.find_repository(None, name).summarize()
        return overview

    def _fail(self, failure: Failure) -> None:
        """Keep the last result; a page that needs the disk itself says what is wrong."""
        self._next = self._clock.seconds() + RETRY_INTERVAL
        if failure.check(StoreUnavailable) is None:
            self._log.failure("cannot count what the registry holds", failure)

    def _end(self, _result: object) -> None:
        self._is_counting = False
        waiting, self._waiting = self._waiting, []
        for ended in waiting:
            if not ended.called:
                ended.callback(None)


def _ignore_timeout(_result: object, _timeout: float) -> None:
    """Return without a result."""
