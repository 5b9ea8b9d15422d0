"""Repeats a load, and measures how much the daemon's process has grown."""

import os
import time
from collections.abc import Iterable

import attrs

from tests.e2e.soak.loads import Load
from tests.e2e.soak.process import InspectedDaemon, Inspection

LIMIT = 200
"""Bytes of memory that a request may leave behind."""

LEAST_GROWTH = 5000 * LIMIT
"""Bytes below which growth is not told from what the C library's allocator does."""

_MOST_BUSY = 0.01
_ATTEMPTS = 4
_PATIENCE = 20.0


@attrs.frozen
class Result:
    """The result of a load: ``growth`` in bytes of memory, for all of its requests.

    ``busy`` is the number of requests that were answered by 503.
    """

    name: str
    count: int
    seconds: float
    growth: int
    files: int
    delayed_calls: int
    busy: int

    @property
    def per_request(self) -> float:
        """Bytes of memory that each request left behind."""
        return self.growth / self.count

    @property
    def is_right(self) -> bool:
        """Whether memory, open files and delayed calls have not grown."""
        is_flat = self.growth < max(LIMIT * self.count, LEAST_GROWTH)
        is_answered = self.busy <= self.count * _MOST_BUSY
        return is_flat and is_answered and not self.files and not self.delayed_calls

    def row(self) -> str:
        """Return a line of the table."""
        return (
            f"{self.name:45} {self.count:8,} {self.per_request:10.1f} "
            f"{self.files:+6} {self.delayed_calls:+8} {self.busy:5} {self.seconds:7.1f}"
        )


HEADING = (
    f"{'load':45} {'requests':>8} {'B/request':>10} {'files':>6} {'delayed':>8} {'503':>5} "
    f"{'s':>7}"
)


def measure(daemon: InspectedDaemon, load: Load, count: int, first: int = 0) -> Result:
    """Repeat a load, and compare the process before and after.

    Its requests are numbered from ``first``. A load whose memory grows is repeated, and the
    smallest growth counts: growth that ends is not a leak.
    """
    before = daemon.inspect()
    load.runner.run(daemon.port, load.warm_up, first)
    start = first + load.warm_up
    growth, seconds, busy = None, 0.0, 0
    warm = settle(daemon, before)
    for _ in range(_ATTEMPTS):
        begun = time.monotonic()
        busy = load.runner.run(daemon.port, count, start)
        seconds = time.monotonic() - begun
        start += count
        after = settle(daemon, before)
        grown = after.memory - warm.memory
        growth = grown if growth is None else min(growth, grown)
        warm = after
        if growth < max(LIMIT * count, LEAST_GROWTH):
            break
    assert growth is not None
    return Result(
        load.name,
        count,
        seconds,
        growth,
        warm.files - before.files,
        len(warm.delayed_calls) - len(before.delayed_calls),
        busy,
    )


def settle(daemon: InspectedDaemon, before: Inspection) -> Inspection:
    """Return the state of a process, once it has as many files and delayed calls as before.

    If it never does, the state is returned after some seconds without a change.
    """
    aim = before.files, len(before.delayed_calls)
    last = aim
    deadline = 0.0
    while True:
        now = daemon.inspect()
        held = now.files, len(now.delayed_calls)
        if held != last:
            last, deadline = held, time.monotonic() + _PATIENCE
        if held == aim or time.monotonic() > deadline:
            return now
        time.sleep(0.05)


def write_report(heading: str, results: Iterable[Result]) -> str:
    """Write a table; it is also appended to the file in MINREG_SOAK_REPORT, if that is set."""
    lines = [heading, HEADING, *(result.row() for result in results)]
    table = "\n".join(lines) + "\n"
    if path := os.environ.get("MINREG_SOAK_REPORT"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(table + "\n")
    return table
