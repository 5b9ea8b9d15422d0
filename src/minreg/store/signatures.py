"""Whether a file or directory is still the one that was read before."""

import os
from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

Signature = tuple[int, ...]

_SETTLED_NS = 1_000_000_000


def signature(status: os.stat_result) -> Signature:
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


class RecentlyUsed(Generic[Key, Value]):
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
