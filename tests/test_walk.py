"""Tests for ``minreg.store.walk``, as ``TreeReader`` uses it; others are in test_store_tree."""

import os
import shutil

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.tree.reader import MAX_NAMES, TreeReader
from tests.store_support import without_privileges


class IterateRepositoriesTests(SynchronousTestCase):
    """Tests for ``TreeReader.iterate_repositories``."""

    def setUp(self) -> None:
        """Create a tree with the repositories ``a`` and ``b/c``."""
        self.root = os.path.abspath(self.mktemp())
        # mktemp closes it to other users, and test_unlisted is one.
        os.chmod(os.path.dirname(self.root), 0o755)
        for path in ("a", "b/c"):
            os.makedirs(os.path.join(self.root, path, "manifests"))

    def link(self, path: str, target: str) -> None:
        """Create a link in the tree."""
        os.symlink(target, os.path.join(self.root, path))

    def walk(self) -> tuple[list[str], list[str]]:
        """Return the repositories, and what could not be read."""
        unread: list[str] = []
        return list(TreeReader(self.root).iterate_repositories(unread.append)), unread

    def test_linked(self) -> None:
        """A repository is yielded for each path that a link gives to it, or to a parent."""
        self.link("a-too", "a")
        self.link("quay.io", "b")
        self.link("b/d", "../a")
        repositories = ["a", "a-too", "b/c", "b/d", "quay.io/c", "quay.io/d"]
        self.assertEqual(self.walk(), (repositories, []))

    def test_order(self) -> None:
        """Repositories are in the byte order of their paths."""
        for path in ("a-b", "a/b"):
            os.makedirs(os.path.join(self.root, path, "manifests"))
        self.assertEqual(self.walk(), (["a", "a-b", "a/b", "b/c"], []))

    def test_link_to_hidden_directory(self) -> None:
        """A repository may be in a directory that has no valid name, if a link leads there."""
        os.makedirs(os.path.join(self.root, ".generations", "2", "manifests"))
        self.link("current", ".generations/2")
        self.assertEqual(self.walk(), (["a", "b/c", "current"], []))

    def test_link_to_ancestor(self) -> None:
        """A link back to a directory above it is not followed."""
        self.link("docker.io", ".")
        self.link("b/up", "..")
        self.assertEqual(self.walk(), (["a", "b/c"], []))

    def test_no_directories(self) -> None:
        """Files, links to files, and broken links are skipped."""
        for name in ("file", ".hidden"):
            with open(os.path.join(self.root, name), "wb"):
                pass
        self.link("to-file", "file")
        self.link("lost", "nowhere")
        self.link("passwd", "/etc/passwd")
        self.assertEqual(self.walk(), (["a", "b/c"], []))

    def test_removed_meanwhile(self) -> None:
        """A directory that is removed during the walk is skipped."""
        walk = TreeReader(self.root).iterate_repositories(self.fail)
        self.assertEqual(next(walk), "a")
        shutil.rmtree(os.path.join(self.root, "b"))
        self.assertEqual(list(walk), [])

    def test_unlisted(self) -> None:
        """A directory that this user may not list is reported, and can be a repository."""
        os.makedirs(os.path.join(self.root, "d", "e", "manifests"))
        for path, mode in (("a", 0o111), ("b", 0o000), ("d", 0o444)):
            os.makedirs(os.path.join(self.root, path, "blobs"), exist_ok=True)
            os.chmod(os.path.join(self.root, path), mode)
            self.addCleanup(os.chmod, os.path.join(self.root, path), 0o755)
        with without_privileges(self.root):
            repositories, unread = self.walk()
        self.assertEqual(repositories, ["a"])
        self.assertEqual(
            [line.partition(" cannot be read")[0] for line in unread],
            [os.path.join(self.root, path) for path in ("a", "b", "d/e")],
        )

    def test_out_of_the_tree(self) -> None:
        """A link out of the tree is reported, even to something like a repository."""
        outside = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(outside, "manifests"))
        self.link("x", outside)
        repositories, [unread] = self.walk()
        self.assertEqual(repositories, ["a", "b/c"])
        self.assertIn(f"{os.path.join(self.root, 'x')} leads out of the root", unread)

    def test_too_many_names(self) -> None:
        """More paths to one directory than the limit are skipped, and reported once."""
        for number in range(MAX_NAMES + 2):
            self.link(f"link{number:02}", "b")
        repositories, [unread] = self.walk()
        self.assertEqual(repositories.count("b/c"), 1)
        self.assertEqual(len(repositories), 2 + MAX_NAMES)
        self.assertIn(f"has more than {MAX_NAMES} names by links: remove some", unread)
