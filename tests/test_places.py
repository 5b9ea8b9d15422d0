"""Tests for ``minreg.fill.tree.layout``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.tree.layout import levels, parse_place
from minreg.oci.names import NameInvalid


class ParsePlaceTests(SynchronousTestCase):
    """Tests for ``parse_place``."""

    def test_names(self) -> None:
        """A repository lies under its name, or below its host."""
        for place in ("rancher/mirrored-pause", "docker.io/library/busybox", "localhost:5000/x"):
            self.assertEqual(parse_place(place), place)

    def test_refused(self) -> None:
        """What is no name, or could leave the tree, is no place."""
        for place in ("", "..", "a/../b", "/a", "A/b", "Docker.IO/a", "a//b", ".minreg/x"):
            self.assertRaises(NameInvalid, parse_place, place)

    def test_no_room(self) -> None:
        """A name with a part that the layout uses is refused in words."""
        for place in ("a/blobs", "manifests/a", "example.com/blobs/b"):
            refused = self.assertRaises(NameInvalid, parse_place, place)
            self.assertIn("in a registry tree these hold content", str(refused))


class LevelsTests(SynchronousTestCase):
    """Tests for ``levels``."""

    def test_levels(self) -> None:
        """Every directory on the way to a repository is a level."""
        self.assertEqual(levels("a/b/c"), ["a", "a/b", "a/b/c"])
