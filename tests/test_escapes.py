"""Tests for escaping text from elsewhere in the output of commands."""

import os

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest
from tests.filled_tree import FilledTree
from tests.image_archives import (
    CONTAINERD_NAME,
    NAME,
    Image,
    describe,
    make_index,
    make_layout,
    make_tar,
    to_json,
)

HOSTILE = "\x1b]0;PWNED\x07\nb:1: complete"
ESCAPED = "\\x1b]0;PWNED\\x07\\nb:1: complete"
ABSENT = {
    "mediaType": OCI_MANIFEST,
    "digest": str(Digest.of(b"absent")),
    "size": 5,
    "platform": {"os": HOSTILE, "architecture": "amd64"},
}


class EscapesTests(SynchronousTestCase):
    """Tests for platforms and names with control characters."""

    def setUp(self) -> None:
        """Create a tree whose index has such a platform."""
        self.tree = FilledTree(self.mktemp())
        image = self.tree.add_image("a", "amd64", b"layer")
        self.tree.add_index("a", image, ABSENT, tag="1")

    def run_command(self, *arguments: str) -> str:
        """Run a command, and check that it writes only printable lines."""
        result = CliRunner().invoke(cli, [*arguments, "-d", self.tree.root])
        self.assertIn(type(result.exception), (type(None), SystemExit))
        for line in result.output.split("\n"):
            self.assertTrue(line.isprintable(), line)
            self.assertFalse(line.startswith("b:1"), line)
        return result.output

    def import_archive(self, content: bytes, *arguments: str) -> str:
        """Import an archive, and return the output."""
        path = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(content)
        return self.run_command("import", path, *arguments)

    def test_list(self) -> None:
        """The table of ``list`` escapes control characters."""
        self.assertIn(f"{ESCAPED}/amd64", self.run_command("list"))
        self.assertIn("PWNED", self.run_command("list", "--json"))

    def test_verify(self) -> None:
        """The output of ``verify`` does too."""
        self.assertIn(f"(absent: {ESCAPED}/amd64)", self.run_command("verify"))
        said = self.run_command("verify", "-p", "all")
        self.assertIn(f"a:1: missing {ESCAPED}/amd64", said)

    def test_import(self) -> None:
        """The output of ``import`` does too, for results and errors."""
        image = Image("amd64")
        index = make_index([image.descriptor, ABSENT])
        described = describe(OCI_INDEX, index, annotations={CONTAINERD_NAME: NAME})
        archive = make_tar(make_layout([*image.blobs, image.manifest, index], [described]))
        self.assertIn(f"; not in the archive: {ESCAPED}/amd64", self.import_archive(archive))
        said = self.import_archive(archive, "-p", "linux/s390x")
        self.assertIn(f"only for {ESCAPED}/amd64, linux/amd64", said)

    def test_import_names(self) -> None:
        """Printable names are shown unchanged."""
        image = Image("amd64")
        described = describe(OCI_MANIFEST, image.manifest, annotations={CONTAINERD_NAME: HOSTILE})
        layout = make_layout([*image.blobs, image.manifest], [described])
        entry = {"Config": "config.json", "RepoTags": [HOSTILE], "Layers": []}
        archive = [("config.json", image.config), ("manifest.json", to_json([entry]))]
        for members in (layout, archive):
            self.assertIn("PWNED", self.import_archive(make_tar(members)))
