"""Counting the content of the registry in the background, one repository at a time.

The page and ``/minreg/status`` show these totals. A count of ten thousand repositories takes half
a minute or more of a thread's time. So a request gets the last result, and starts a count if that
is old; only for the first count it waits up to a second. After each repository, the count pauses
for longer than it worked, so that pulls get the disk and the interpreter.
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
"""Seconds between the end of a count and the next one, at least."""

INTERVAL_FACTOR = 20.0
"""The interval as a multiple of the duration of the count, if that is longer: however large the
registry is, counts take at most a twentieth of the time."""

RETRY_INTERVAL = 5.0
"""Seconds between a count that failed and the next one, at least."""

PAUSE_FACTOR = 2.0
"""The pause after each repository, as a multiple of the time that reading it took."""

FIRST_COUNT_TIMEOUT = 1.0
"""Seconds that a request waits for the first count."""

_BATCH_SIZE = 250
"""Names that are read from the tree in one call."""


@attrs.frozen
class RegistryTotals:
    """The content of the whole registry in numbers.

    Attributes:
        images: The number of images; see ``RepositorySummary.images``.
        repositories: The number of repositories.
        size: Bytes of all manifests and blobs, each counted once.
        incomplete: The names of the repositories that are incomplete or cannot be read, in byte
            order.
        uncounted: The number of repositories that are in no other number than ``repositories``,
            because they cannot be read or have too many manifests.
        counted_at: When the count ended, in seconds since the epoch.
        has_ended: False for the numbers of a count that is still in progress.
    """

    images: int
    repositories: int
    size: int
    incomplete: tuple[str, ...]
    uncounted: int
    counted_at: float
    has_ended: bool = True

    @property
    def is_complete(self) -> bool:
        """Whether the numbers include all repositories."""
        return self.has_ended and not self.uncounted


@attrs.define
class _Sums:
    """The sums of a count in progress.

    ``contents`` has the hashes of the digests that are in ``size``. Python's hash has 64 bits,
    which are enough to distinguish them, and takes a fifth of the memory of the digests.
    """

    images: int = 0
    repositories: int = 0
    size: int = 0
    incomplete: list[str] = attrs.field(factory=list)
    uncounted: int = 0
    contents: set[int] = attrs.field(factory=set)

    def add(self, name: str, summary: RepositorySummary) -> None:
        """Add a repository."""
        self.repositories += 1
        self.images += summary.images
        if not summary.is_complete:
            self.incomplete.append(name)
        for digest, size in summary.sizes.items():
            content = hash(digest)
            if content not in self.contents:
                self.contents.add(content)
                self.size += size

    def add_uncounted(self, name: str, *, is_readable: bool) -> None:
        """Add a repository whose content cannot be counted."""
        self.repositories += 1
        self.uncounted += 1
        if not is_readable:
            self.incomplete.append(name)

    def freeze(self, counted_at: float, *, has_ended: bool) -> RegistryTotals:
        """Return the totals so far."""
        return RegistryTotals(
            self.images,
            self.repositories,
            self.size,
            tuple(self.incomplete),
            self.uncounted,
            counted_at,
            has_ended,
        )


class TotalsCounter:
    """Counts the content of a store in the background, and keeps the last result.

    Args:
        store: The store.
        disk: Runs the store's methods in threads.
        clock: Measures intervals and pauses.
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
        self._sums: _Sums | None = None
        self._next = 0.0
        self._started = 0.0
        self._is_counting = False
        self._waiting: list[Deferred[None]] = []

    @property
    def totals(self) -> RegistryTotals | None:
        """The result of the last count; None if no count has ended yet."""
        return self._totals

    @property
    def progress(self) -> RegistryTotals | None:
        """The numbers so far of the count in progress; None if none is in progress."""
        sums = self._sums
        return None if sums is None else sums.freeze(self._now(), has_ended=False)

    def refresh(self) -> None:
        """Start a count if the last result is old and no count is in progress."""
        if self._is_counting or self._clock.seconds() < self._next:
            return
        self._is_counting = True
        self._started = self._clock.seconds()
        counting = Deferred.fromCoroutine(self._count())
        counting.addErrback(self._fail)
        counting.addCallback(self._end)

    async def fetch(
        self,
        timeout: float,  # noqa: ASYNC109 - that is about asyncio
    ) -> RegistryTotals | None:
        """Return the result of the last count, and start a count if that is old.

        Args:
            timeout: How long to wait for the first count, in seconds since it started.

        Returns:
            None if the first count has not ended in time, or has failed.
        """
        self.refresh()
        remaining = self._started + timeout - self._clock.seconds()
        if self._totals is None and self._is_counting and remaining > 0:
            ended: Deferred[None] = Deferred()
            self._waiting.append(ended)
            await ended.addTimeout(remaining, self._clock, _ignore_timeout)
        return self._totals

    async def _count(self) -> None:
        self._sums = sums = _Sums()
        names = await self._disk.run(self._store.iterate_repositories, "")
        while batch := await self._disk.fetch_batch(names, _BATCH_SIZE):
            for name in batch:
                started = self._clock.seconds()
                await self._add(sums, name)
                pause = (self._clock.seconds() - started) * PAUSE_FACTOR
                await deferLater(self._clock, pause)
        self._totals = sums.freeze(self._now(), has_ended=True)
        duration = self._clock.seconds() - self._started
        self._next = self._clock.seconds() + max(SHORTEST_INTERVAL, duration * INTERVAL_FACTOR)

    async def _add(self, sums: _Sums, name: str) -> None:
        try:
            summary = await self._disk.run(self._summarize, name)
        except RepositoryNotFound:
            return
        except TooLarge:
            sums.add_uncounted(name, is_readable=True)
        except ContentInvalid:
            sums.add_uncounted(name, is_readable=False)
        else:
            sums.add(name, summary)

    def _summarize(self, name: str) -> RepositorySummary:
        summary: RepositorySummary = self._store.find_repository(None, name).summarize()
        return summary

    def _fail(self, failure: Failure) -> None:
        """Keep the last result. The page itself shows why the store is unavailable."""
        self._next = self._clock.seconds() + RETRY_INTERVAL
        if failure.check(StoreUnavailable) is None:
            self._log.failure("cannot count the content of the registry", failure)

    def _end(self, _result: object) -> None:
        self._is_counting = False
        self._sums = None
        waiting, self._waiting = self._waiting, []
        for ended in waiting:
            if not ended.called:
                ended.callback(None)


def _ignore_timeout(_result: object, _timeout: float) -> None:
    """End the wait without an error."""
