"""Support for the end-to-end tests: programs, directories, daemons."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from tests.e2e.daemon import Daemon
from tests.e2e.programs import ProgramFailed, do_without, need_programs, run


class EndToEndTestCase(SynchronousTestCase):
    """A test that starts the daemon and sends requests with real clients."""

    def need_programs(self, *programs: str) -> None:
        """Skip the test if a program is not installed; under ``CI``, fail."""
        need_programs(*programs)

    def need_to_mount(self) -> None:
        """Skip the test if file systems cannot be mounted; under ``CI``, fail."""
        self.need_programs("unshare")
        try:
            run("unshare", "--mount", "true")
        except ProgramFailed:
            do_without("needs root: file systems cannot be mounted here")

    def need_root(self, reason: str) -> None:
        """Skip the test if the user is not root; under ``CI``, fail."""
        if os.geteuid() != 0:
            do_without(f"needs root: {reason}")

    def make_directory(self) -> str:
        """Create a directory that is removed when the test ends.

        It has a short name: the path of a Unix socket in it must fit into 107 bytes.
        """
        directory = tempfile.mkdtemp(prefix="minreg-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        return directory

    def start_daemon(self, root: str, *options: str) -> Daemon:
        """Start a daemon that serves ``root`` until the test ends."""
        daemon = Daemon(root, self.make_directory(), *options)
        self.addCleanup(daemon.stop)
        daemon.wait_until_it_answers()
        return daemon

    def wait_until(self, is_so: Callable[[], bool], seconds: float = 120) -> None:
        """Wait for an event in another process."""
        deadline = time.monotonic() + seconds
        while not is_so():
            self.assertLess(time.monotonic(), deadline, "it does not come to that")
            time.sleep(0.02)
