"""Tests for ``minreg import``, the command."""

import os

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest
from tests.image_archives import (
    CONTAINERD_NAME,
    Artifact,
    Image,
    make_annotated_layout,
    make_image_layout,
    make_index,
    make_k3s_layout,
    make_tar,
)

AMD64 = Image("amd64")
ARM64 = Image("arm64")


class ImportCommandTests(SynchronousTestCase):
    """Tests for the command line."""

    def setUp(self) -> None:
        """Write an archive."""
        self.root = self.mktemp()
        self.archive = self.write(make_tar(make_k3s_layout([AMD64], [ARM64])))

    def write(self, content: bytes) -> str:
        """Write a file, and return its path."""
        path: str = self.mktemp()
        with open(path, "wb") as file:
            file.write(content)
        return path

    def run_import(self, *arguments: str, standard_input: bytes = b"") -> Result:
        """Run the command."""
        return CliRunner().invoke(
            cli, ["import", *arguments, "-d", self.root], input=standard_input
        )

    def test_report(self) -> None:
        """Each image has a line: its name, digest, origin, size and missing platforms."""
        result = self.run_import(self.archive)
        digest = Digest.of(make_index([AMD64.descriptor, ARM64.descriptor]))
        self.assertEqual(
            result.stdout,
            "docker.io/rancher/mirrored-pause:3.6 is now rancher/mirrored-pause:3.6, "
            f"{digest}, 20.8 kB; not in the archive: linux/arm64\n",
        )
        self.assertEqual(result.exit_code, 0)
        # What comes next is on stderr: stdout is a list. It was hashed: no need to verify.
        self.assertEqual(
            result.stderr,
            f"next: tar -C {self.root} --transform 's,^\\.,registry,S' "
            "-czf registry-content.tar.gz .\n"
            f"  or: minreg serve --root {self.root}\n",
        )

    def test_standard_input(self) -> None:
        """``-`` is standard input."""
        with open(self.archive, "rb") as file:
            result = self.run_import("-", standard_input=file.read())
        self.assertEqual(result.exit_code, 0)
        self.assertTrue(os.path.lexists(f"{self.root}/rancher/mirrored-pause/manifests/3.6"))

    def test_standard_input_refused(self) -> None:
        """An error about standard input names it."""
        result = self.run_import("-", standard_input=b"x")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("Error: standard input: ", result.stderr)

    def test_options(self) -> None:
        """The options select platforms, keep hosts, and name images."""
        result = self.run_import(self.archive, "-p", "linux/amd64", "-n")
        self.assertEqual(result.exit_code, 0)
        self.assertIn(" is now docker.io/rancher/mirrored-pause:3.6, ", result.output)
        self.assertTrue(result.stdout.endswith("; not in the archive: linux/arm64\n"))
        unnamed = self.write(make_tar(make_image_layout(AMD64, {})))
        self.assertEqual(self.run_import(unnamed, "--name", "a/b:1").exit_code, 0)
        self.assertTrue(os.path.lexists(f"{self.root}/a/b/manifests/1"))

    def test_some_fail(self) -> None:
        """An archive that fails is reported on stderr; the others are imported."""
        broken = self.write(make_tar(make_image_layout(AMD64))[:2000])
        result = self.run_import(broken, self.archive)
        self.assertEqual(result.exit_code, 1)
        self.assertTrue(
            result.stderr.startswith(f"Error: {broken}: the archive is truncated within ")
        )
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertIn("is now rancher/mirrored-pause:3.6, ", result.stdout)

    def test_notes(self) -> None:
        """What is left out is on stderr; a referrer says what it refers to."""
        note = Artifact(b"about it", AMD64.manifest)
        lost = Artifact(b"about nothing")
        layout = make_annotated_layout((AMD64, {CONTAINERD_NAME: "a/b:1"}), (note, {}), (lost, {}))
        result = self.run_import(self.write(make_tar(layout)))
        name = f"a/b@{note.digest}"
        self.assertIn(
            f"docker.io/{name} is now {name}, {note.digest}, 10 B; refers to "
            f"{Digest.of(AMD64.manifest)}\n",
            result.stdout,
        )
        self.assertIn(f"note: left out {lost.digest}: the archive has no name", result.stderr)
        self.assertEqual(result.exit_code, 0)

    def test_part(self) -> None:
        """A part of an archive is refused with how to join the parts."""
        with open(self.archive, "rb") as file:
            content = file.read()
        directory = self.mktemp()
        os.mkdir(directory)
        for number in (1, 2):
            with open(f"{directory}/haul.tar.00{number}", "wb") as file:
                file.write(content[:2000])
        result = self.run_import(f"{directory}/haul.tar.001")
        self.assertEqual(
            result.stderr,
            f"Error: {directory}/haul.tar.001: this is one part of an archive; join all: "
            f"cat {directory}/haul.tar.??? | minreg import -\n",
        )

    def test_invalid_path(self) -> None:
        """A name that cannot be stored in a tree is an error."""
        named = {CONTAINERD_NAME: "docker.io/a/blobs/b:1"}
        result = self.run_import(self.write(make_tar(make_image_layout(AMD64, named))))
        self.assertEqual(result.exit_code, 1)
        self.assertIn("'a/blobs/b' has a part named 'blobs'", result.stderr)
        self.assertFalse(os.path.lexists(self.root))

    def test_locked(self) -> None:
        """If another process writes the tree, the command fails."""
        with TreeWriter(self.root, "another command"):
            result = self.run_import(self.archive)
        self.assertEqual(result.exit_code, 1)
        self.assertIn("(another command) writes it; wait until that ends", result.stderr)

    def test_usage(self) -> None:
        """A command without a source, or with a malformed platform, is a usage error."""
        self.assertEqual(self.run_import().exit_code, 2)
        result = self.run_import(self.archive, "-p", "linux")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("'linux' is not a platform such as linux/amd64", result.stderr)
