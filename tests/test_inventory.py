"""Tests for ``minreg.fill.tree.inventory``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.tree.inventory import list_images_in_tree
from minreg.fill.tree.provenance import record_provenance
from minreg.fill.tree.reader import TreeReader
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import OCI_LAYER, OCI_MANIFEST, Digest, ImageReference
from minreg.oci.platforms import Platform
from minreg.store.images import StoredImage
from tests.filled_tree import FilledTree

ABSENT = {
    "mediaType": OCI_MANIFEST,
    "digest": str(Digest.of(b"absent")),
    "size": 5,
    "platform": {"os": "linux", "architecture": "arm64"},
}


class TakeInventoryTests(SynchronousTestCase):
    """Tests for ``list_images_in_tree``."""

    def setUp(self) -> None:
        """Have a tree with one image, in an index that names another platform too."""
        self.tree = FilledTree(self.mktemp())
        self.amd64 = self.tree.add_image("a", "amd64", b"layer")
        self.index = self.tree.add_index("a", self.amd64, ABSENT, tag="1")

    def images(self) -> dict[str, StoredImage]:
        """Return the images of the tree."""
        return {
            str(image): image for image in list_images_in_tree(TreeReader(self.tree.root)).images
        }

    def test_sparse(self) -> None:
        """An index with fewer platforms than it names has no problem."""
        image = self.images()["a:1"]
        self.assertEqual(str(image.root), self.index["digest"])
        self.assertEqual(image.present, (Platform("linux", "amd64"),))
        self.assertEqual(image.absent, (Platform("linux", "arm64"),))
        self.assertEqual((image.problems, image.is_readable), ((), True))
        self.assertEqual(len(image.documents), 2)
        self.assertEqual(image.size, self.index["size"] + self.amd64["size"] + 5 + 40)

    def test_nothing_of_an_index(self) -> None:
        """An index without any of its images has a problem."""
        self.tree.add_index("b", ABSENT, tag="1")
        self.assertEqual(self.images()["b:1"].problems, ("none of its platforms is here",))

    def test_platform_of_the_config(self) -> None:
        """The platform of an image without an index is that in its config."""
        self.tree.add_image("b", "riscv64", tags=("1",))
        self.assertEqual(self.images()["b:1"].present, (Platform("linux", "riscv64"),))

    def test_missing_blob(self) -> None:
        """A missing layer is a problem."""
        os.unlink(self.tree.blob_path(b"layer"))
        [problem] = self.images()["a:1"].problems
        self.assertEqual(problem, f"layer {Digest.of(b'layer')} is missing")

    def test_short_blob(self) -> None:
        """A truncated layer is a problem."""
        os.truncate(self.tree.blob_path(b"layer"), 2)
        [problem] = self.images()["a:1"].problems
        self.assertIn("has 2 bytes, and should have 5", problem)

    def test_lost_tag(self) -> None:
        """A tag that is a broken link is an image with a problem."""
        os.unlink(self.tree.path("a", "manifests", self.index["digest"]))
        image = self.images()["a:1"]
        self.assertEqual((image.root, image.is_readable), (None, False))
        self.assertIn(f"tag 1 of a links to {self.index['digest']}", image.problems[0])

    def test_damaged_child(self) -> None:
        """A damaged manifest is a problem, and its blobs are not known."""
        with open(self.tree.path("a", "manifests", self.amd64["digest"]), "ab") as file:
            file.write(b" ")
        image = self.images()["a:1"]
        self.assertFalse(image.is_readable)
        self.assertIn(f"manifest {self.amd64['digest']}: ", image.problems[0])

    def test_referrers(self) -> None:
        """The referrers of an image belong to it."""
        note = self.tree.add_blob("a", OCI_LAYER, b"note")
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": note,
            "layers": [],
            "subject": self.index,
        }
        referrer = self.tree.add_document("a", document)
        image = self.images()["a:1"]
        self.assertIn(Digest.parse(referrer["digest"]), image.documents)
        self.assertIn(Digest.of(b"note"), image.blobs)
        self.assertEqual(image.present, (Platform("linux", "amd64"),))

    def test_digest(self) -> None:
        """An image that was requested by digest is listed."""
        digest = self.amd64["digest"]
        with TreeWriter(self.tree.root, "a test") as tree:
            record_provenance(tree, "a", ImageReference.parse(f"quay.io/a@{digest}"))
        image = self.images()[f"a@{digest}"]
        self.assertEqual((str(image.root), image.problems), (digest, ()))
