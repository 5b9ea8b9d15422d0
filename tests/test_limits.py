"""Tests for ``minreg.daemon.assembly``."""

import resource

from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.assembly import most_connections, raise_file_limit


class LimitsTests(SynchronousTestCase):
    """Tests for the limits of the operating system."""

    def test_connections(self) -> None:
        """Each connection may have two files open besides itself, and 64 are left over."""
        self.assertEqual(most_connections(1024), 320)
        self.assertEqual(most_connections(65), 1)
        self.assertEqual(most_connections(69), 1)
        self.assertEqual(most_connections(70), 2)

    def test_never_none(self) -> None:
        """However few files there may be, one client at a time is served."""
        self.assertEqual(most_connections(0), 1)

    def test_raise(self) -> None:
        """The process takes all the files that it may have, and leaves it at that."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        hard = limits[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        for _ in range(2):
            self.assertEqual(raise_file_limit(), hard)
            self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (hard, hard))
