"""What was found out lately, for as long as it can be trusted without asking a disk.

Whether something is still current is asked each time, in the reactor's thread: a thread of
its own would cost more than all the rest of a request. Nothing must wait for a disk there.
The look is a ``stat`` or two (``Content.is_current``), and the kernel knows a file that was
looked at some seconds ago. So whatever nobody wanted for ``FRESH`` seconds counts as
forgotten: it is looked up in a thread once more, which also brings back what the kernel may
have dropped meanwhile.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime

from minreg.store.signatures import RecentlyUsed

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

FRESH = 10.0
"""Seconds within which the kernel is trusted to know a file that was looked at."""


@attrs.define
class _Entry(Generic[Value]):
    value: Value
    is_current: Callable[[], bool]
    wanted: float


class Remembered(Generic[Key, Value]):
    """Keeps what is current and was wanted lately, least recently used out first.

    Args:
        clock: Measures how long ago something was wanted.
        capacity: How much may be kept, in bytes.
    """

    def __init__(self, clock: IReactorTime, capacity: int) -> None:
        self._clock = clock
        self._entries: RecentlyUsed[Key, _Entry[Value]] = RecentlyUsed(capacity)

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
        self._entries.put(key, _Entry(value, is_current, self._clock.seconds()), cost)
