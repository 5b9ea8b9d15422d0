"""Tests for ``minreg.daemon.signals``."""

import io
import os
import signal
from collections.abc import Callable

from twisted.logger import capturedLogs
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.signals import Reloader, Signals


class SignalsTests(SynchronousTestCase):
    """Tests for ``Signals``, with signals that this process sends to itself."""

    def setUp(self) -> None:
        """Replace the reactor and its handlers."""
        self.seen: list[str] = []
        self.waiting: list[Callable[[], object]] = []
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        signal.signal(signal.SIGTERM, lambda _number, _frame: self.seen.append("stop"))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.signals = Signals(
            self.waiting.append,
            lambda call: call(),
            lambda: self.seen.append("reload"),
            lambda: self.seen.append("hurry"),
        )
        self.signals.startService()

    def run_reactor(self) -> None:
        """Run what waits for the reactor to start."""
        for call in self.waiting:
            call()

    def test_reload(self) -> None:
        """SIGHUP reloads, from the start on, each time."""
        signal.raise_signal(signal.SIGHUP)
        self.run_reactor()
        signal.raise_signal(signal.SIGHUP)
        self.assertEqual(self.seen, ["reload", "reload"])

    def test_stop_twice(self) -> None:
        """The first SIGTERM stops, and further ones stop at once."""
        self.run_reactor()
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.seen, ["stop", "hurry", "hurry"])

    def test_stopping_already(self) -> None:
        """A process that stops for another reason is not stopped twice by a signal."""
        self.run_reactor()
        self.assertFalse(self.signals.begin_stop())
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.seen, ["hurry"])
        self.assertTrue(self.signals.begin_stop())

    def test_ignored(self) -> None:
        """A signal that was ignored at the start stays ignored."""
        self.run_reactor()
        self.assertIs(signal.getsignal(signal.SIGINT), signal.SIG_IGN)


class ReloaderTests(SynchronousTestCase):
    """Tests for ``Reloader``."""

    def test_moved_away(self) -> None:
        """After a rotation, the log continues in a new file of the old name."""
        path = os.path.abspath(self.mktemp())
        log_file = LogFile.fromFullPath(path)
        self.addCleanup(log_file.close)
        os.rename(path, f"{path}.1")
        Reloader(log_file).reload()
        log_file.write("hello\n")
        with open(path, encoding="utf-8") as log:
            self.assertEqual(log.read(), "hello\n")

    def test_standard_output(self) -> None:
        """Standard output is not reopened, but the reload is logged."""
        with capturedLogs() as events:
            Reloader(io.StringIO()).reload()
        self.assertEqual([event["event"] for event in events], ["reload"])
