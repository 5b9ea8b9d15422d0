"""Tests for ``minreg.commands.reports``."""

import click
from twisted.trial.unittest import SynchronousTestCase

from minreg.commands.reports import is_interruption, reported_failures
from minreg.fill.errors import FillError


class ReportedFailuresTests(SynchronousTestCase):
    """Tests for ``reported_failures``."""

    def report(self, text: str) -> str:
        """Raise an error, and return the message."""
        with self.assertRaises(click.ClickException) as raised:
            with reported_failures():
                raise FillError(text)
        return raised.exception.message

    def test_lines(self) -> None:
        """The lines of a message are kept."""
        self.assertEqual(self.report("one: no\ntwo: no"), "one: no\ntwo: no")

    def test_escapes(self) -> None:
        """Control characters are escaped."""
        self.assertEqual(self.report("\x1b[2Jhello\x07"), "\\x1b[2Jhello\\x07")


class IsInterruptionTests(SynchronousTestCase):
    """Tests for ``is_interruption``."""

    def test_interrupted(self) -> None:
        """``KeyboardInterrupt`` is an interruption."""
        self.assertTrue(is_interruption(KeyboardInterrupt()))

    def test_interrupted_within_a_lock(self) -> None:
        """So is an error of a lock with ``KeyboardInterrupt`` as its context."""
        error = RuntimeError("release unlocked lock")
        error.__context__ = KeyboardInterrupt()
        self.assertTrue(is_interruption(error))

    def test_fault(self) -> None:
        """Another error is not."""
        error = RuntimeError("why")
        error.__context__ = ValueError("because")
        self.assertFalse(is_interruption(error))
