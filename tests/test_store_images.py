"""Tests for ``minreg.store.images``, as all who look at images need it."""

from click.testing import CliRunner

from minreg.cli import cli
from minreg.store.images import inspect_image
from tests.store_support import StoreTestCase


class SenselessTests(StoreTestCase):
    """Tests for images with parts that nobody can look for."""

    def test_part_of_a_manifest(self) -> None:
        """Such an image is not complete, and nobody knows all that belongs to it."""
        digest = self.tree.add_manifest("a", self.tree.image(layers=[{"size": 1}]), "1")
        image = inspect_image(self.find("a"), "1")
        self.assertEqual(
            image.problems, (f"manifest {digest} is malformed: layers[0] has no media type",)
        )
        self.assertFalse(image.is_readable)

    def test_verify(self) -> None:
        """``minreg verify`` says so, too."""
        self.tree.add_manifest("a", self.tree.image(layers=[{"size": 1}]), "1")
        done = CliRunner().invoke(cli, ["verify", "-d", self.root])
        self.assertEqual(done.exit_code, 1)
        self.assertIn("is malformed: layers[0] has no media type", done.output)
