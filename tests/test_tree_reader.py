"""Tests for ``minreg.fill.tree.reader`` and ``minreg.fill.tree.provenance``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.tree.provenance import Provenance, provenance_of, record_provenance
from minreg.fill.tree.reader import TreeReader
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest, ImageReference
from minreg.store.interfaces import StoreUnavailable

MANIFEST = b'{"schemaVersion":2,"config":{},"layers":[]}'
DIGEST = Digest.of(MANIFEST)


class TreeReaderTests(SynchronousTestCase):
    """Tests for ``TreeReader``."""

    def setUp(self) -> None:
        """Write a tree of three repositories."""
        self.root = self.mktemp()
        self.contents = TreeReader(self.root)
        with TreeWriter(self.root, "a test") as tree:
            for place in ("b", "a/b", "localhost:5000/c"):
                tree.write_manifest(place, MANIFEST)
                tree.tag(place, "1", DIGEST)

    def test_repositories(self) -> None:
        """All repositories are listed, sorted, those of a host with a port too."""
        places = list(self.contents.iterate_repositories(self.fail))
        self.assertEqual(places, ["a/b", "b", "localhost:5000/c"])

    def test_circle(self) -> None:
        """A link back to a parent directory is not followed endlessly."""
        os.symlink("..", os.path.join(self.root, "a", "up"))
        self.assertEqual(next(self.contents.iterate_repositories(self.fail)), "a/b")
        self.assertLess(len(list(self.contents.iterate_repositories(self.fail))), 20)

    def test_no_tree(self) -> None:
        """A missing root has no manifests and blobs; listing its repositories fails."""
        contents = TreeReader(self.mktemp())
        self.assertRaises(StoreUnavailable, contents.iterate_repositories, self.fail)
        self.assertIsNone(contents.read_manifest("a", "1"))
        self.assertFalse(contents.has_blob("a", DIGEST, 1))
        self.assertEqual(contents.partial_size(DIGEST), 0)

    def test_read_manifest(self) -> None:
        """A manifest is read by tag or digest."""
        for reference in ("1", DIGEST):
            self.assertEqual(self.contents.read_manifest("a/b", reference), (DIGEST, MANIFEST))
        self.assertIsNone(self.contents.read_manifest("a/b", "2"))

    def test_broken_manifest(self) -> None:
        """A manifest with damaged bytes counts as missing."""
        path = os.path.join(self.root, "b", "manifests", str(DIGEST))
        with open(path, "ab") as file:
            file.write(b" ")
        self.assertIsNone(self.contents.read_manifest("b", "1"))


class ProvenanceTests(SynchronousTestCase):
    """Tests for ``Provenance``."""

    def test_recorded(self) -> None:
        """The upstream of a tag is recorded, and the digests that were requested by digest."""
        root = self.mktemp()
        tagged = ImageReference.parse("quay.io/a:1")
        untagged = ImageReference.parse(f"quay.io/a@{DIGEST}")
        with TreeWriter(root, "a test") as tree:
            record_provenance(tree, "a", tagged)
            record_provenance(tree, "a", untagged)
        provenance = Provenance(root)
        self.assertEqual(provenance.find("a", "1"), "quay.io/a")
        self.assertEqual(provenance_of(tagged), "quay.io/a")
        self.assertEqual(provenance.list_digests("a"), [DIGEST])

    def test_unknown(self) -> None:
        """A tree without records has no provenance."""
        root = self.mktemp()
        os.mkdir(root)
        provenance = Provenance(root)
        self.assertIsNone(provenance.find("a", "1"))
        self.assertEqual(provenance.list_digests("a"), [])
