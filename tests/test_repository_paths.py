"""Tests for ``minreg.fill.tree.layout``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.tree.layout import levels, parse_repository_path
from minreg.oci.names import NameInvalid


class ParseRepositoryPathTests(SynchronousTestCase):
    """Tests for ``parse_repository_path``."""

    def test_names(self) -> None:
        """A repository's path is its name, with or without its host."""
        for path in ("rancher/mirrored-pause", "docker.io/library/busybox", "localhost:5000/x"):
            self.assertEqual(parse_repository_path(path), path)

    def test_refused(self) -> None:
        """Malformed names, and paths out of the tree, are refused."""
        for path in ("", "..", "a/../b", "/a", "A/b", "Docker.IO/a", "a//b", ".minreg/x"):
            self.assertRaises(NameInvalid, parse_repository_path, path)

    def test_reserved_names(self) -> None:
        """A name with a part that the layout uses is refused, and the error says why."""
        for path in ("a/blobs", "manifests/a", "example.com/blobs/b"):
            refused = self.assertRaises(NameInvalid, parse_repository_path, path)
            self.assertIn("a registry tree stores content under these names", str(refused))


class LevelsTests(SynchronousTestCase):
    """Tests for ``levels``."""

    def test_levels(self) -> None:
        """Each directory on the path of a repository is a level."""
        self.assertEqual(levels("a/b/c"), ["a", "a/b", "a/b/c"])
