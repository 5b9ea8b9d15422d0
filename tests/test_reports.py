"""Tests for ``minreg.commands.reports``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.commands.reports import is_interruption


class IsInterruptionTests(SynchronousTestCase):
    """Tests for ``is_interruption``."""

    def test_interrupted(self) -> None:
        """Ctrl-C is one."""
        self.assertTrue(is_interruption(KeyboardInterrupt()))

    def test_interrupted_within_a_lock(self) -> None:
        """So is the complaint of a lock that Ctrl-C came in the way of."""
        error = RuntimeError("release unlocked lock")
        error.__context__ = KeyboardInterrupt()
        self.assertTrue(is_interruption(error))

    def test_fault(self) -> None:
        """A fault of our own is none."""
        error = RuntimeError("why")
        error.__context__ = ValueError("because")
        self.assertFalse(is_interruption(error))
