"""Tests for ``minreg.fill.tree.writer``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import TreeLocked
from minreg.fill.tree.directories import Directories
from minreg.fill.tree.writer import TreeLock


class TreeLockTests(SynchronousTestCase):
    """Tests for ``TreeLock``."""

    def setUp(self) -> None:
        """Create a directory for the lock."""
        root = self.mktemp()
        os.mkdir(root)
        opening = Directories(root).open("")
        self.directory = opening.__enter__()
        self.addCleanup(opening.__exit__, None, None, None)
        self.path = os.path.join(root, "lock")

    def lock(self, command: str = "minreg download") -> TreeLock:
        """Return a lock that is not taken yet."""
        return TreeLock(self.directory, "/srv/registry", command)

    def test_second_is_refused(self) -> None:
        """The second writer is told the process and command of the first."""
        with self.lock("minreg import"):
            refused = self.assertRaises(TreeLocked, self.lock().__enter__)
        self.assertEqual(
            str(refused),
            f"/srv/registry is locked: process {os.getpid()} (minreg import) writes it; "
            "wait until that ends, or end it",
        )

    def test_free_again(self) -> None:
        """After the first writer the next one gets the lock, and its name is in the file."""
        with self.lock("minreg import of a very long list"):
            pass
        with self.lock("minreg prune"):
            with open(self.path, encoding="ascii") as file:
                self.assertEqual(file.read(), f"{os.getpid()} minreg prune\n")

    def test_holder_unknown(self) -> None:
        """A lock whose file is empty is a lock nevertheless."""
        with self.lock():
            os.truncate(self.path, 0)
            refused = self.assertRaises(TreeLocked, self.lock().__enter__)
        self.assertIn("is locked: another process writes it;", str(refused))
