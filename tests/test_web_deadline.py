"""Tests for ``minreg.web.backpressure``."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.backpressure import Deadline


class DeadlineTests(SynchronousTestCase):
    """Tests for ``Deadline``."""

    def setUp(self) -> None:
        """Create a deadline that counts how often it expires."""
        self.clock = Clock()
        self.missed: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.missed.append(self.clock.seconds()))

    def assert_missed(self, *times: float) -> None:
        """Let time pass, and return when the deadline expired."""
        self.clock.pump([0.125] * 1000)
        self.assertEqual(self.missed, list(times))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_missed(self) -> None:
        """A deadline that is not cleared expires once."""
        self.deadline.set(3)
        self.assertTrue(self.deadline.is_set)
        self.assert_missed(3)
        self.assertFalse(self.deadline.is_set)

    def test_cleared(self) -> None:
        """A deadline that is cleared in time does not expire."""
        self.deadline.set(3)
        self.deadline.clear()
        self.assertFalse(self.deadline.is_set)
        self.assert_missed()

    def test_later(self) -> None:
        """A deadline that is set again expires later."""
        self.deadline.set(3)
        self.clock.advance(2)
        self.deadline.set(3)
        self.clock.advance(2)
        self.deadline.clear()
        self.deadline.set(4)
        self.assert_missed(8)

    def test_sooner(self) -> None:
        """A deadline that is set to an earlier time expires then, and only then."""
        self.deadline.set(30)
        self.deadline.set(2)
        self.assert_missed(2)

    def test_few_calls(self) -> None:
        """However often a deadline is set, there is one delayed call."""
        for _ in range(100):
            self.deadline.set(3)
            self.deadline.clear()
            self.clock.advance(0.0125)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assert_missed()

    def test_ended(self) -> None:
        """A deadline that has ended leaves no delayed call."""
        self.deadline.end()
        self.deadline.set(3)
        self.deadline.end()
        self.assertFalse(self.deadline.is_set)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assert_missed()
