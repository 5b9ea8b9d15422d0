"""Tests for ``minreg.store.images``."""

from click.testing import CliRunner

from minreg.cli import cli
from minreg.oci.names import OCI_CONFIG, OCI_MANIFEST, Digest
from minreg.store.images import LARGEST_CONFIG, inspect_image
from tests.store_support import StoreTestCase
from tests.trees import descriptor, index


class MalformedTests(StoreTestCase):
    """Tests for images with malformed descriptors."""

    def test_part_of_a_manifest(self) -> None:
        """A manifest with a malformed layer is a problem, and makes the image unreadable."""
        digest = self.tree.add_manifest("a", self.tree.image(layers=[{"size": 1}]), "1")
        image = inspect_image(self.find("a"), "1")
        self.assertEqual(
            image.problems, (f"manifest {digest} is malformed: layers[0] has no media type",)
        )
        self.assertFalse(image.is_readable)

    def test_verify(self) -> None:
        """``minreg verify`` reports it."""
        self.tree.add_manifest("a", self.tree.image(layers=[{"size": 1}]), "1")
        done = CliRunner().invoke(cli, ["verify", "-d", self.root])
        self.assertEqual(done.exit_code, 1)
        self.assertIn("is malformed: layers[0] has no media type", done.output)


class InspectionTests(StoreTestCase):
    """Tests for ``inspect_image``."""

    def test_listed_twice(self) -> None:
        """A manifest that an index lists twice is inspected once."""
        child = descriptor(OCI_MANIFEST, self.tree.add_image("a"), 1)
        self.tree.add_manifest("a", index([child, child]), "1")
        image = inspect_image(self.find("a"), "1")
        self.assertEqual((len(image.manifests), image.problems), (2, ()))

    def test_large_config(self) -> None:
        """A config that is too large is not read for its platform."""
        config = descriptor(OCI_CONFIG, Digest.of(b"config"), LARGEST_CONFIG + 1)
        self.tree.add_manifest("a", self.tree.image(config=config), "1")
        image = inspect_image(self.find("a"), "1")
        self.assertEqual(image.present, ())
        summary = self.find("a").summarize()
        self.assertEqual((summary.platforms, summary.missing), ((), 1))
