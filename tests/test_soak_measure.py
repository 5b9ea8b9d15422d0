"""Tests for how the soak judges what a load leaves behind, with a process that is made up."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.soak.loads import Load
from tests.e2e.soak.measure import LIMIT, Result, measure
from tests.e2e.soak.process import Inspection

COUNT = 5000


class MadeUpProcess:
    """A process that grows with requests, by some bytes for each, up to a bound.

    Args:
        growth: Bytes for each request.
        bound: Bytes at which it stops to grow.
    """

    port = 0

    def __init__(self, growth: int, bound: int) -> None:
        self._growth = growth
        self._bound = bound
        self._memory = 0

    def run(self, _port: int, count: int, _start: int) -> int:
        """Answer requests."""
        self._memory = min(self._memory + count * self._growth, self._bound)
        return 0

    def inspect(self) -> Inspection:
        """Return what it holds."""
        return Inspection(self._memory, self._memory, 3, [], 0)


def soak(growth: int, bound: int = 1 << 40) -> Result:
    """Measure a process."""
    process: Any = MadeUpProcess(growth, bound)
    return measure(process, Load("a load", process), COUNT)


class MeasureTests(SynchronousTestCase):
    """Tests for ``measure``."""

    def test_flat(self) -> None:
        """A process that stays as it was is right."""
        result = soak(0)
        self.assertEqual((result.growth, result.is_right), (0, True))

    def test_leak(self) -> None:
        """One that grows with each request is wrong, however often that is tried."""
        result = soak(LIMIT)
        self.assertEqual((result.per_request, result.is_right), (LIMIT, False))

    def test_bounded(self) -> None:
        """One that fills what has a bound, and grows no more, is right."""
        result = soak(10 * LIMIT, bound=15 * LIMIT * COUNT)
        self.assertEqual((result.growth, result.is_right), (0, True))

    def test_what_is_left(self) -> None:
        """A file or a delayed call that is left is wrong, and so are many answers of 503."""
        self.assertTrue(Result("", COUNT, 1.0, 0, files=0, delayed_calls=0, busy=50).is_right)
        for files, calls, busy in ((1, 0, 0), (0, 1, 0), (0, 0, 51)):
            self.assertFalse(Result("", COUNT, 1.0, 0, files, calls, busy).is_right)
