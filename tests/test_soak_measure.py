"""Tests for how the soak test measures growth, with a fake process."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.soak.loads import Load
from tests.e2e.soak.measure import LIMIT, Result, measure
from tests.e2e.soak.process import Inspection

COUNT = 5000


class MadeUpProcess:
    """A fake process that grows by some bytes for each request, up to a bound.

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
        """Return the size of its memory."""
        return Inspection(self._memory, self._memory, 3, [], 0)


def soak(growth: int, bound: int = 1 << 40) -> Result:
    """Measure the process."""
    process: Any = MadeUpProcess(growth, bound)
    return measure(process, Load("a load", process), COUNT)


class MeasureTests(SynchronousTestCase):
    """Tests for ``measure``."""

    def test_flat(self) -> None:
        """A process that does not grow passes."""
        result = soak(0)
        self.assertEqual((result.growth, result.is_right), (0, True))

    def test_leak(self) -> None:
        """A process that grows with each request fails, however often it is measured."""
        result = soak(LIMIT)
        self.assertEqual((result.per_request, result.is_right), (LIMIT, False))

    def test_bounded(self) -> None:
        """A process that grows up to a bound passes."""
        result = soak(10 * LIMIT, bound=15 * LIMIT * COUNT)
        self.assertEqual((result.growth, result.is_right), (0, True))

    def test_what_is_left(self) -> None:
        """An open file, a delayed call or many answers of 503 fail."""
        self.assertTrue(Result("", COUNT, 1.0, 0, files=0, delayed_calls=0, busy=50).is_right)
        for files, calls, busy in ((1, 0, 0), (0, 1, 0), (0, 0, 51)):
            self.assertFalse(Result("", COUNT, 1.0, 0, files, calls, busy).is_right)
