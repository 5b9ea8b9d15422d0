"""Tests for ``minreg.fill.prune`` and ``minreg prune``."""

import os
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.fill.errors import FillError
from minreg.fill.prune import plan_removal
from minreg.fill.tree.provenance import record_provenance
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest, ImageReference
from tests.filled_tree import FilledTree


class PruneTests(SynchronousTestCase):
    """Tests for ``plan_removal`` and ``remove``, through the command."""

    def setUp(self) -> None:
        """Create a tree of two images that share a layer."""
        self.tree = FilledTree(self.mktemp())
        self.a = self.tree.add_image("a", "amd64", b"base", b"a", tags=("1", "2"))
        self.b = self.tree.add_image("x/b", "amd64", b"base", b"b", tags=("1",))

    def prune(self, *arguments: str, status: int = 0, keep: str | None = None) -> Result:
        """Run the command on the tree."""
        given = ["prune", "-d", self.tree.root, *arguments]
        if keep is not None:
            given += ["--keep-file", "-"]
        result = CliRunner().invoke(cli, given, input=keep)
        self.assertEqual(result.exit_code, status)
        return result

    def files(self) -> set[str]:
        """Return all files and links of the tree, without the private ones."""
        return {
            os.path.relpath(os.path.join(directory, name), self.tree.root)
            for directory, directories, names in os.walk(self.tree.root)
            for name in [*names, *directories]
            if ".minreg" not in os.path.join(directory, name)
        }

    def test_nothing(self) -> None:
        """Nothing is removed if all is needed."""
        before = self.files()
        said = self.prune("--yes").stdout
        self.assertEqual(said, "removed 0 images, 0 manifests and 0 blobs (0 B)\n")
        self.assertEqual(self.files(), before)

    def test_dry(self) -> None:
        """Without --yes the command only says what it would remove."""
        before = self.files()
        said = self.prune(keep="a:1\na:2\n").stdout
        self.assertEqual(
            said, "would remove x/b:1\nwould remove 1 image, 1 manifest and 1 blob (1 B)\n"
        )
        self.assertEqual(self.files(), before)

    def test_keep_file(self) -> None:
        """An image in no list is removed, with what only it needed, and empty directories."""
        self.prune(
            "--yes", keep="# these stay\ndocker.io/library/nothing\nquay.io/a:1\nquay.io/a:2"
        )
        files = self.files()
        self.assertNotIn("x", files)
        self.assertNotIn(f"blobs/{Digest.of(b'b')}", files)
        self.assertIn(f"blobs/{Digest.of(b'base')}", files)
        self.assertIn("a/manifests/1", files)

    def test_one_tag_of_two(self) -> None:
        """A manifest stays as long as a tag names it."""
        self.prune("--yes", keep="quay.io/a:1\nquay.io/x/b:1")
        files = self.files()
        self.assertNotIn("a/manifests/2", files)
        self.assertIn(f"a/manifests/{self.a['digest']}", files)

    def test_untagged(self) -> None:
        """Untagged manifests are removed without a list."""
        self.tree.add_image("a", "arm64", b"untagged")
        said = self.prune("--yes").stdout
        self.assertIn("removed 0 images, 1 manifest and 2 blobs", said)
        self.assertNotIn(f"blobs/{Digest.of(b'untagged')}", self.files())

    def test_kept_digest(self) -> None:
        """An image that was requested by digest stays, unless a list omits it."""
        untagged = self.tree.add_image("a", "arm64", b"untagged")
        image = ImageReference.parse(f"quay.io/a@{untagged['digest']}")
        with TreeWriter(self.tree.root, "a test") as tree:
            record_provenance(tree, "a", image)
        self.prune("--yes")
        self.assertIn(f"a/manifests/{untagged['digest']}", self.files())
        self.prune("--yes", keep=f"{image}\nquay.io/a:1\nquay.io/a:2\nquay.io/x/b:1")
        self.assertIn(f"a/manifests/{untagged['digest']}", self.files())
        self.prune("--yes", keep="quay.io/a:1\nquay.io/a:2\nquay.io/x/b:1")
        self.assertNotIn(f"a/manifests/{untagged['digest']}", self.files())

    def test_untagged_is_named(self) -> None:
        """An untagged manifest is named by its digest in the output."""
        digest = self.tree.add_image("a", "arm64", b"untagged")["digest"]
        self.assertIn(
            f"would remove a@{digest}, which is not reachable from any tag\n", self.prune().stdout
        )

    def test_signatures(self) -> None:
        """Signatures of kept images stay, and signatures of these; others do not."""
        fingerprint = self.tag_for(self.a, "sig")
        self.tag_for(fingerprint, "att")
        self.tag_for(self.b, "sig")
        said = self.prune("--yes", keep="quay.io/a:1\nquay.io/a:2").stdout
        self.assertIn("removed 2 images", said)
        self.assertEqual(self.prune("--yes").stdout.count("removed "), 1)
        tags = [name for name in os.listdir(self.tree.path("a", "manifests")) if "." in name]
        self.assertEqual(len(tags), 2)

    def tag_for(self, subject: dict[str, Any], suffix: str) -> dict[str, Any]:
        """Add a signature as cosign does: a tag that contains the subject's digest."""
        tag = f"{subject['digest'].replace(':', '-')}.{suffix}"
        place = "x/b" if subject is self.b else "a"
        return self.tree.add_image(place, "", suffix.encode("ascii"), tags=(tag,))

    def test_empty_list(self) -> None:
        """An empty list is an error."""
        before = self.files()
        said = self.prune("--yes", keep="# nothing yet\n", status=2).stderr
        self.assertIn("no image is listed in -, so the whole tree would be removed", said)
        self.assertEqual(self.files(), before)

    def test_names_by_links(self) -> None:
        """A repository that is kept under one path is kept under its linked paths."""
        os.symlink("a", self.tree.path("alias"))
        os.symlink("x", self.tree.path("y"))
        before = self.files()
        self.prune("--yes", keep="quay.io/alias:1\nquay.io/alias:2\nquay.io/y/b:1")
        self.assertEqual(self.files(), before)
        self.prune("--yes", keep="quay.io/y/b:1")
        self.assertIn("x/b/manifests/1", self.files())
        self.assertNotIn("a/manifests/1", self.files())

    def test_directory_among_blobs(self) -> None:
        """A directory that is named like a blob is ignored."""
        os.mkdir(self.tree.blob_path(b"x"))
        said = self.prune("--yes").stdout
        self.assertEqual(said, "removed 0 images, 0 manifests and 0 blobs (0 B)\n")

    def test_partial(self) -> None:
        """Partial blobs are removed too."""
        with TreeWriter(self.tree.root, "a test") as tree:
            with tree.open_partial(Digest.of(b"x")) as partial:
                partial.write(b"half")
        self.assertIn("1 blob (4 B)", self.prune("--yes").stdout)
        self.assertEqual(os.listdir(self.tree.path(".minreg", "partial")), [])

    def test_own_blobs(self) -> None:
        """Blobs in a repository's own directory are removed too, those outside the tree never."""
        outside = os.path.abspath(self.mktemp())
        os.makedirs(outside)
        os.makedirs(self.tree.path("own", "blobs"))
        os.makedirs(self.tree.path("own", "manifests"))
        os.makedirs(self.tree.path("out", "manifests"))
        os.symlink(outside, self.tree.path("out", "blobs"))
        orphan = str(Digest.of(b"orphan"))
        for directory in (self.tree.path("own", "blobs"), outside):
            with open(os.path.join(directory, orphan), "wb") as file:
                file.write(b"orphan")
        self.prune("--yes")
        self.assertEqual(os.listdir(self.tree.path("own", "blobs")), [])
        self.assertEqual(os.listdir(outside), [orphan])

    def test_unreadable(self) -> None:
        """Nothing is removed if it is not known what an image needs."""
        os.unlink(self.tree.path("x", "b", "manifests", self.b["digest"]))
        failure = self.assertRaises(FillError, plan_removal, self.tree.root, None)
        self.assertIn("x/b:1 cannot be read", str(failure))
        self.prune("--yes", status=1)
        self.prune("--yes", keep="quay.io/a:1\nquay.io/a:2")
        self.assertNotIn("x", self.files())

    def test_while_downloading(self) -> None:
        """A download keeps ``prune`` from the tree."""
        with TreeWriter(self.tree.root, "minreg download"):
            result = self.prune("--yes", status=1)
        self.assertIn("(minreg download) writes it; wait until that ends", result.stderr)
