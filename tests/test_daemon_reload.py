"""Tests for ``minreg.daemon.signals``."""

import io
import os

from twisted.logger import capturedLogs
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.signals import Reloader


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
