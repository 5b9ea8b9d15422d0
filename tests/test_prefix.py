"""Tests for ``minreg.prefix``."""

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.prefix import resolve_below


class ResolveBelowTests(SynchronousTestCase):
    """Tests for ``resolve_below``."""

    def setUp(self) -> None:
        """Create a directory that stands for the root of a system."""
        self.prefix = os.path.abspath(self.mktemp())
        os.makedirs(f"{self.prefix}/etc")

    def assert_resolved(self, path: str, expected: str) -> None:
        """Resolve a path, and compare it with one below the prefix."""
        resolved = resolve_below(self.prefix, path)
        self.assertEqual(resolved, os.path.join(self.prefix, expected), path)

    def test_paths(self) -> None:
        """Paths need not exist, and do not lead out of the prefix."""
        for path, expected in (
            ("/etc/a", "etc/a"),
            ("etc//./a/", "etc/a"),
            ("/none/../etc", "etc"),
            ("/../../etc", "etc"),
        ):
            self.assert_resolved(path, expected)
        self.assertEqual(resolve_below(self.prefix, "/"), self.prefix)

    def test_links(self) -> None:
        """Absolute links start at the prefix, relative ones at their directory."""
        for name, target in (
            ("absolute", "/data"),
            ("relative", "../data"),
            ("outside", "../../../data"),
            ("chain", "absolute"),
        ):
            os.symlink(target, f"{self.prefix}/etc/{name}")
            self.assert_resolved(f"/etc/{name}/a", "data/a")

    def test_too_many_links(self) -> None:
        """A cycle of links is an error, as for the kernel; forty links are not."""
        os.symlink("loop", f"{self.prefix}/loop")
        for number in range(40):
            os.symlink(f"link{number + 1}", f"{self.prefix}/link{number}")
        self.assert_resolved("/link0", "link40")
        os.symlink("link0", f"{self.prefix}/link")
        for path in ("/loop", "/loop/a", "/link"):
            error = self.assertRaises(OSError, resolve_below, self.prefix, path)
            assert isinstance(error, OSError)
            self.assertEqual((error.errno, error.filename), (errno.ELOOP, path))

    def test_impossible_names(self) -> None:
        """Text that cannot be a file name is an error."""
        for path in ("/etc/a\0", "/\ud800"):
            error = self.assertRaises(OSError, resolve_below, self.prefix, path)
            assert isinstance(error, OSError)
            self.assertEqual(error.errno, errno.EINVAL)
