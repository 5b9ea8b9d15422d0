"""Tests for ``minreg.commands.reports``."""

import click
from twisted.trial.unittest import SynchronousTestCase

from minreg.commands.reports import is_interruption, reported_failures
from minreg.fill.errors import FillError


class ReportedFailuresTests(SynchronousTestCase):
    """Tests for ``reported_failures``."""

    def report(self, text: str) -> str:
        """Let something fail, and give what is said of it."""
        with self.assertRaises(click.ClickException) as raised:
            with reported_failures():
                raise FillError(text)
        return raised.exception.message

    def test_lines(self) -> None:
        """A failure's lines stay lines."""
        self.assertEqual(self.report("one: no\ntwo: no"), "one: no\ntwo: no")

    def test_escapes(self) -> None:
        """What came from elsewhere does nothing to a terminal."""
        self.assertEqual(self.report("\x1b[2Jhello\x07"), "\\x1b[2Jhello\\x07")


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
