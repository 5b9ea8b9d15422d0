"""Tests for ``minreg.fill.verify`` and ``minreg verify``."""

import os

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.fill.verify import Verification, VerifyReport
from minreg.oci.names import OCI_MANIFEST
from minreg.oci.platforms import Platform
from tests.filled_tree import FilledTree
from tests.test_inventory import ABSENT


class VerificationTests(SynchronousTestCase):
    """Tests for ``Verification``."""

    def setUp(self) -> None:
        """Create a tree of two images that share a layer."""
        self.tree = FilledTree(self.mktemp())
        self.tree.add_index("a", self.tree.add_image("a", "amd64", b"base", b"a"), ABSENT, tag="1")
        self.tree.add_image("b", "amd64", b"base", b"b", tags=("1",))

    def verify(self, *wanted: str) -> VerifyReport:
        """Verify the tree."""
        self.hashed: list[int] = []
        platforms = [Platform.parse(text) for text in wanted] or None
        return Verification(self.tree.root, platforms).run(self.hashed.append, threads=2)

    def broken(self, report: VerifyReport) -> dict[str, tuple[str, ...]]:
        """Return the problems of each image."""
        return {str(finding.image): finding.problems for finding in report.broken}

    def damage(self, content: bytes) -> str:
        """Change a byte of a blob, and return its path."""
        path = self.tree.blob_path(content)
        with open(path, "r+b") as file:
            file.write(b"\0")
        return path

    def run_command(self, *arguments: str) -> Result:
        """Run the command on the tree."""
        return CliRunner().invoke(cli, ["verify", "-d", self.tree.root, *arguments])

    def test_complete(self) -> None:
        """Each file is hashed once, and no problem is found."""
        report = self.verify()
        self.assertEqual((len(report.findings), report.broken), (2, []))
        self.assertEqual((report.checked_files, report.checked_bytes), (4, 46))
        self.assertEqual(sum(self.hashed), 46)

    def test_damaged(self) -> None:
        """A damaged blob is a problem of each image that needs it."""
        path = os.path.realpath(self.damage(b"base"))
        problem = f"{path} does not hold what its name says: remove it and download again"
        self.assertEqual(self.broken(self.verify()), {"a:1": (problem,), "b:1": (problem,)})

    def test_quick(self) -> None:
        """Without hashing only presence and size are verified."""
        self.damage(b"base")
        os.unlink(self.tree.blob_path(b"b"))
        report = Verification(self.tree.root).run_quickly()
        self.assertEqual(list(self.broken(report)), ["b:1"])

    def test_orphans(self) -> None:
        """Blobs of no image are counted, and are no problem."""
        self.tree.add_blob("a", "x/y", b"orphan")
        report = self.verify()
        self.assertEqual((report.orphans, report.orphan_bytes, report.broken), (1, 6, []))

    def test_orphans_unknown(self) -> None:
        """If an image is broken, orphans are not counted."""
        [digest] = [name for name in os.listdir(self.tree.path("b", "manifests")) if ":" in name]
        os.unlink(self.tree.path("b", "manifests", digest))
        self.assertEqual(list(self.broken(self.verify())), ["b:1"])
        self.assertIsNone(self.verify().orphans)
        self.assertNotIn("minreg prune", self.run_command().stdout)

    def test_lost_platform(self) -> None:
        """If only the index of an image is left, it is broken."""
        for name in os.listdir(self.tree.path("a", "manifests")):
            if name not in ("1", os.readlink(self.tree.path("a", "manifests", "1"))):
                os.unlink(self.tree.path("a", "manifests", name))
        self.assertEqual(self.broken(self.verify()), {"a:1": ("none of its platforms is here",)})
        self.assertIsNone(self.verify().orphans)

    def test_platform(self) -> None:
        """A missing platform is a problem if it was selected."""
        self.assertEqual(self.broken(self.verify("linux/amd64")), {})
        report = self.verify("linux/arm64")
        self.assertEqual(self.broken(report), {})
        arm64 = (Platform("linux", "arm64"),)
        self.assertEqual(
            {str(finding.image): finding.lacking for finding in report.incomplete},
            {"a:1": arm64, "b:1": arm64},
        )
        self.assertEqual(len(self.verify("windows/amd64").incomplete), 2)

    def test_without_platform(self) -> None:
        """A chart, or a signature of cosign, has no platform that could be missing."""
        config = self.tree.add_blob("b", "application/x", b'{"os":"","architecture":""}')
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": []}
        self.tree.add_document("b", document, "sha256-x.sig")
        self.assertEqual(self.broken(self.verify("linux/amd64")), {})

    def test_command(self) -> None:
        """The command reports the images, and exits with 0."""
        result = self.run_command()
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(
            result.stdout.splitlines(),
            [
                "a:1: complete for linux/amd64 (absent: linux/arm64)",
                "b:1: complete for linux/amd64",
                "2 of 2 images complete; hashed 4 blobs (46 B)",
            ],
        )

    def test_command_broken(self) -> None:
        """A broken image is reported, and the exit status is 1."""
        self.damage(b"b")
        self.tree.add_blob("a", "x/y", b"orphan")
        result = self.run_command()
        self.assertEqual(result.exit_code, 1)
        self.assertIn("b:1: BROKEN: ", result.stdout)
        self.assertIn("1 of 2 images complete", result.stdout)
        self.assertIn("; 1 blob (6 B) not part of any image: minreg prune\n", result.stdout)

    def test_command_platforms(self) -> None:
        """``all`` selects each platform that an index names."""
        self.assertEqual(self.run_command("--quick", "-p", "all").exit_code, 1)
        self.assertEqual(self.run_command("--quick", "-p", "linux/amd64").exit_code, 0)

    def test_command_lacking(self) -> None:
        """A good image that lacks a platform is not called broken; the status is 1."""
        result = self.run_command("-p", "linux/arm64")
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(
            result.stdout.splitlines(),
            [
                "a:1: missing linux/arm64 (has linux/amd64)",
                "b:1: missing linux/arm64 (has linux/amd64)",
                "0 of 2 images complete; hashed 4 blobs (46 B)",
            ],
        )

    def test_command_empty(self) -> None:
        """A tree without images is not called complete."""
        empty = self.mktemp()
        os.makedirs(os.path.join(empty, ".minreg"))
        result = CliRunner().invoke(cli, ["verify", "-d", empty])
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"there is no image in {empty}: name the right directory", result.stderr)

    def test_command_without_tree(self) -> None:
        """A missing directory is a usage error."""
        self.assertEqual(CliRunner().invoke(cli, ["verify", "-d", "/nowhere"]).exit_code, 2)
