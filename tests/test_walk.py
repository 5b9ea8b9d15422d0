"""Tests for ``minreg.fill.tree.walk``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.tree.walk import MOST_NAMES, Walk
from minreg.store.rooted import RootedDirectory


class WalkTests(SynchronousTestCase):
    """Tests for ``Walk``."""

    def setUp(self) -> None:
        """Have a tree with repositories ``a`` and ``b/c``."""
        self.root = os.path.abspath(self.mktemp())
        for place in ("a", "b/c"):
            os.makedirs(os.path.join(self.root, place, "manifests"))

    def link(self, place: str, target: str) -> None:
        """Make a link in the tree."""
        os.symlink(target, os.path.join(self.root, place))

    def walk(self) -> tuple[list[str], list[str]]:
        """Tell which repositories are found, and what could not be looked at."""
        walk = Walk(RootedDirectory(self.root))
        return list(walk.iterate_places()), walk.unread

    def test_other_names(self) -> None:
        """A repository is found under the names that links give to it, or to what is above it."""
        self.link("a-too", "a")
        self.link("quay.io", "b")
        self.link("b/d", "../a")
        places = ["a", "a-too", "b/c", "b/d", "quay.io/c", "quay.io/d"]
        self.assertEqual(self.walk(), (places, []))

    def test_kept_elsewhere(self) -> None:
        """A repository may lie where no name leads, if a link leads there."""
        os.makedirs(os.path.join(self.root, ".generations", "2", "manifests"))
        self.link("current", ".generations/2")
        self.assertEqual(self.walk(), (["a", "b/c", "current"], []))

    def test_back(self) -> None:
        """A link back to what led to it ends there."""
        self.link("docker.io", ".")
        self.link("b/up", "..")
        self.assertEqual(self.walk(), (["a", "b/c"], []))

    def test_no_directories(self) -> None:
        """Files, links to files, and links that lead nowhere are no repositories."""
        for name in ("file", ".hidden"):
            with open(os.path.join(self.root, name), "wb"):
                pass
        self.link("to-file", "file")
        self.link("lost", "nowhere")
        self.link("passwd", "/etc/passwd")
        self.assertEqual(self.walk(), (["a", "b/c"], []))

    def test_out_of_the_tree(self) -> None:
        """What a link out leads to is not found, but known of."""
        self.link("x", os.path.dirname(self.root))
        places, [unread] = self.walk()
        self.assertEqual(places, ["a", "b/c"])
        self.assertIn(f"{os.path.join(self.root, 'x')} leads out of the root", unread)

    def test_too_many_names(self) -> None:
        """Under more names than anybody needs, a directory is not found, but that is known."""
        for number in range(MOST_NAMES + 2):
            self.link(f"link{number:02}", "b")
        places, [unread] = self.walk()
        self.assertEqual(places.count("b/c"), 1)
        self.assertEqual(len(places), 2 + MOST_NAMES)
        self.assertIn(f"has more than {MOST_NAMES} names by links: remove some", unread)
