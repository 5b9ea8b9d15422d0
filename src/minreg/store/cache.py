"""Whether a file or directory is still the one that was read before."""

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

Fingerprint = tuple[int, ...]

_SETTLED_NS = 1_000_000_000


def fingerprint(status: os.stat_result) -> Fingerprint:
    """What changes when the content does, and cannot be set back by tar or rsync."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def is_settled(status: os.stat_result, now: int) -> bool:
    """Tell whether the last change lay far enough back for the signature to be trusted.

    Clocks of file systems tick slowly: two changes within one tick look like one. A
    time in the future is one from before the clock was set, not a change of now.

    Args:
        status: What the file or directory looked like before it was read.
        now: The time before it was read, in nanoseconds since the epoch.
    """
    return abs(now - status.st_ctime_ns) > _SETTLED_NS


class LeastRecentlyUsedCache(Generic[Key, Value]):
    """Keeps what was found out, up to a total cost; the least recently used goes first.

    For use from several threads.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._cost = 0
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """Return what is kept under ``key``, if anything."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Key, value: Value, cost: int = 1) -> None:
        """Keep ``value``, unless it alone costs too much, and drop what no longer fits."""
        with self._lock:
            self._cost -= self._entries.pop(key, (None, 0))[1]
            if cost > self._capacity:
                return
            self._cost += cost
            self._entries[key] = (value, cost)
            while self._cost > self._capacity:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._cost -= dropped


_MOST_PLACES = 8
"""Beyond, looking at all of them costs as much as answering anew."""


@attrs.frozen
class Dependencies:
    """Gathers what answers rest on.

    ``root`` is where all paths begin; ``begun`` the time, in nanoseconds since the epoch,
    before anything was looked at; ``absent`` are paths at which there must be nothing.
    """

    _root: str
    _begun: int
    _absent: tuple[str, ...] = ()

    def check(
        self,
        directory: str,
        found: Mapping[str, os.stat_result],
        watched: Mapping[str, Fingerprint | None] | None,
    ) -> Callable[[], bool] | None:
        """Make a function that tells whether all is as it was.

        Args:
            directory: What all paths but the absent ones begin with.
            found: Paths, and what was seen there.
            watched: More paths, and their known signatures; None if these are not to be
                trusted.

        Returns:
            None if something changed so recently that another change could not be told
            from it, or if there is too much to look at.
        """
        if watched is None or not all(is_settled(seen, self._begun) for seen in found.values()):
            return None
        states = {**watched, **{path: fingerprint(seen) for path, seen in found.items()}}
        if len(states) + len(self._absent) > _MOST_PLACES:
            return None
        place = os.path.join(self._root, directory)
        places: list[tuple[str, Fingerprint | None]]
        places = [(os.path.join(self._root, path), None) for path in self._absent]
        places += [(os.path.join(place, path), state) for path, state in states.items()]
        return partial(_are_unchanged, tuple(places))


def _are_unchanged(places: tuple[tuple[str, Fingerprint | None], ...]) -> bool:
    for path, state in places:
        try:
            found = os.stat(path)
        except OSError:
            if state is not None:
                return False
        else:
            if state is None or state != fingerprint(found):
                return False
    return True


FRESH = 10.0
"""Seconds within which the kernel is trusted to know a file that was looked at."""


@attrs.define
class _CacheEntry(Generic[Value]):
    value: Value
    is_current: Callable[[], bool]
    wanted: float


class ValidatedCache(Generic[Key, Value]):
    """Keeps what is current and was wanted lately, least recently used out first.

    Args:
        clock: Measures how long ago something was wanted.
        capacity: How much may be kept, in bytes.
    """

    def __init__(self, clock: IReactorTime, capacity: int) -> None:
        self._clock = clock
        self._entries: LeastRecentlyUsedCache[Key, _CacheEntry[Value]] = LeastRecentlyUsedCache(
            capacity
        )

    def find(self, key: Key) -> Value | None:
        """Return what is kept under ``key``, if it is to be trusted."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock.seconds()
        if now - entry.wanted > FRESH or not entry.is_current():
            return None
        entry.wanted = now
        return entry.value

    def keep(self, key: Key, value: Value, is_current: Callable[[], bool], cost: int) -> None:
        """Keep ``value``, of ``cost`` bytes, for as long as it is current and wanted."""
        self._entries.put(key, _CacheEntry(value, is_current, self._clock.seconds()), cost)
