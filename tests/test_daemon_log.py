"""Tests for where the daemon's log goes, and for the end of a worker's standard input."""

import os
import tempfile
from typing import Any

from twisted.internet.error import ConnectionDone, ReactorNotRunning
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.assembly import make_daemon_observer
from minreg.daemon.worker import EndOfInput


class DaemonObserverTests(SynchronousTestCase):
    """Tests for ``make_daemon_observer``."""

    def write(self, *, is_journal: bool) -> str:
        """Log a line to a file that is, or is not, the one in ``JOURNAL_STREAM``."""
        with tempfile.TemporaryFile("w+") as file:
            status = os.fstat(file.fileno())
            inode = status.st_ino if is_journal else status.st_ino + 1
            connected = f"{status.st_dev}:{inode}"
            self.patch(os, "environ", {**os.environ, "JOURNAL_STREAM": connected})
            reactor: Any = MemoryReactorClock()
            reactor.running = False
            Logger(observer=make_daemon_observer("text", file, reactor)).warn("hello")
            file.seek(0)
            return file.read()

    def test_journal(self) -> None:
        """A line for the journal has a priority instead of the time."""
        self.assertEqual(self.write(is_journal=True), "<4>warn hello\n")
        self.assertRegex(self.write(is_journal=False), r"\A\d{4}-\S+Z warn hello\n\Z")


class EndOfInputTests(SynchronousTestCase):
    """Tests for ``EndOfInput``."""

    def test_stopping_already(self) -> None:
        """A worker that is stopping already does not fail when its parent ends."""

        class _Stopping(MemoryReactorClock):
            def stop(self) -> None:
                raise ReactorNotRunning

        EndOfInput(_Stopping(), lambda: False).connectionLost(Failure(ConnectionDone()))

    def test_signal_before(self) -> None:
        """The reactor of a worker that a signal has stopped is not stopped again."""
        reactor = MemoryReactorClock()
        reactor.hasStopped = False
        EndOfInput(reactor, lambda: True).connectionLost(Failure(ConnectionDone()))
        self.assertFalse(reactor.hasStopped)
        EndOfInput(reactor, lambda: False).connectionLost(Failure(ConnectionDone()))
        self.assertTrue(reactor.hasStopped)
