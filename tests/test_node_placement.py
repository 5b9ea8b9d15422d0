"""Tests for ``minreg.node.managed_files``; what is done with it, ``test_node_install`` tests."""

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.managed_files import UnitLink, locate, read_file


class LocateTests(SynchronousTestCase):
    """Tests for ``locate``: an image of a node, in which links lead to where they will lead."""

    def setUp(self) -> None:
        """Make an image, with a directory beside it."""
        above = os.path.abspath(self.mktemp())
        self.node = f"{above}/node"
        os.makedirs(f"{self.node}/data/etc")
        os.makedirs(f"{above}/data/etc")

    def link(self, target: str, path: str) -> None:
        """Make a link in the image."""
        os.symlink(target, self.node + path)

    def locate(self, path: str) -> str:
        """Find the place of a path, below the image."""
        place = locate(self.node, path)
        self.assertTrue(place.startswith(f"{self.node}/"), place)
        return place.removeprefix(self.node)

    def test_plain(self) -> None:
        """Without links a path is below the image, whether it is there or not."""
        self.assertEqual(self.locate("/etc/rancher/k3s"), "/etc/rancher/k3s")
        self.assertEqual(locate("/", "/etc/x"), "/etc/x")

    def test_links(self) -> None:
        """Whole ones begin at the image's root, others where they are, and none leads out."""
        self.link("/data/etc", "/etc")
        self.link("../../../../data", "/data/etc/up")
        self.link("etc/../etc", "/data/again")
        for path, place in (
            ("/etc/x", "/data/etc/x"),
            ("/etc/up/x", "/data/x"),
            ("/data/again/y", "/data/etc/y"),
            ("/etc", "/data/etc"),
        ):
            self.assertEqual(self.locate(path), place)

    def test_circle(self) -> None:
        """Links that lead to each other lead nowhere."""
        self.link("/b", "/a")
        self.link("/a", "/b")
        error = self.assertRaises(OSError, locate, self.node, "/a/x")
        self.assertEqual((error.errno, error.filename), (errno.ELOOP, f"{self.node}/a/x"))

    def test_files(self) -> None:
        """A file that is a link is that of the image; a link of ours is looked at itself."""
        with open(f"{self.node}/data/x", "w", encoding="ascii") as file:
            file.write("of the image")
        self.link("/data/x", "/x")
        self.assertEqual(read_file(self.node, "/x"), "of the image")
        self.assertTrue(UnitLink("/x", "/data/x").is_there(self.node))
        self.link("/nowhere", "/y")
        self.assertFalse(UnitLink("/y", "/data/x").is_free(self.node))
