"""Tests for ``minreg.fill.tree.writer``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import TreeLocked
from minreg.fill.tree.directories import Directories
from minreg.fill.tree.writer import TreeLock


class TreeLockTests(SynchronousTestCase):
    """Tests for ``TreeLock``."""

    def setUp(self) -> None:
        """Make a place for the lock."""
        root = self.mktemp()
        os.mkdir(root)
        opening = Directories(root).open("")
        self.directory = opening.__enter__()
        self.addCleanup(opening.__exit__, None, None, None)
        self.path = os.path.join(root, "lock")

    def lock(self, command: str = "minreg download") -> TreeLock:
        """Make a lock that is not taken yet."""
        return TreeLock(self.directory, "/srv/registry", command)

    def test_second_is_refused(self) -> None:
        """The second writer learns which process has the tree, and what it does."""
        with self.lock("minreg import"):
            refused = self.assertRaises(TreeLocked, self.lock().__enter__)
        self.assertEqual(
            str(refused),
            f"/srv/registry is being written by process {os.getpid()} (minreg import): "
            "wait until that ends, or end it",
        )

    def test_free_again(self) -> None:
        """Once the first is done, the next may begin, and its name stands in the file."""
        with self.lock("minreg import of a very long list"):
            pass
        with self.lock("minreg prune"):
            with open(self.path, encoding="ascii") as file:
                self.assertEqual(file.read(), f"{os.getpid()} minreg prune\n")

    def test_holder_unknown(self) -> None:
        """A lock that does not name its holder is a lock all the same."""
        with self.lock():
            os.truncate(self.path, 0)
            refused = self.assertRaises(TreeLocked, self.lock().__enter__)
        self.assertIn("is being written by another process:", str(refused))
