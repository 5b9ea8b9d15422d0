"""Tests for files and links of ``minreg.node.managed_files`` in an image of a node."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.managed_files import UnitLink, read_file


class ImageTests(SynchronousTestCase):
    """Tests for ``read_file`` and ``UnitLink`` in a directory that stands for a node's root."""

    def setUp(self) -> None:
        """Create the directory."""
        self.node = os.path.abspath(self.mktemp())
        os.makedirs(f"{self.node}/data")

    def test_links(self) -> None:
        """Links in the image lead to files of the image; a ``UnitLink`` is not followed."""
        with open(f"{self.node}/data/x", "w", encoding="ascii") as file:
            file.write("of the image")
        os.symlink("/data/x", f"{self.node}/x")
        self.assertEqual(read_file(self.node, "/x"), "of the image")
        self.assertTrue(UnitLink("/x", "/data/x").is_current(self.node))
        os.symlink("/nowhere", f"{self.node}/y")
        self.assertFalse(UnitLink("/y", "/data/x").is_absent(self.node))
