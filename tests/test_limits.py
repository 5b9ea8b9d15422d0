"""Tests for ``minreg.daemon.assembly``."""

import resource

from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.assembly import most_connections, raise_file_limit


class LimitsTests(SynchronousTestCase):
    """Tests for the limit of open files."""

    def test_connections(self) -> None:
        """Each connection may have three files open; 64 are reserved."""
        self.assertEqual(most_connections(1024), 320)
        self.assertEqual(most_connections(65), 1)
        self.assertEqual(most_connections(69), 1)
        self.assertEqual(most_connections(70), 2)

    def test_never_none(self) -> None:
        """With few files, one connection at a time is served."""
        self.assertEqual(most_connections(0), 1)

    def test_raise(self) -> None:
        """The process raises its soft limit to the hard limit."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        hard = limits[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        for _ in range(2):
            self.assertEqual(raise_file_limit(), hard)
            self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (hard, hard))
