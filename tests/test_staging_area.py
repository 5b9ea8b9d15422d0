"""Tests for ``minreg.fill.importer``."""

import io
import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.members import FileMember
from minreg.fill.errors import ArchiveInvalid
from minreg.fill.importer import StagingArea
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest

CONTENT = b"content"
DIGEST = Digest.of(CONTENT)


class StagingAreaTests(SynchronousTestCase):
    """Tests for ``StagingArea``."""

    def setUp(self) -> None:
        """Have a staging area in a tree."""
        self.root = self.mktemp()
        tree = TreeWriter(self.root, "a test").__enter__()
        self.addCleanup(tree.__exit__, None, None, None)
        self.staging = StagingArea(tree)

    def file(self, path: str, content: bytes = CONTENT) -> FileMember:
        """Return a member of an archive."""
        return FileMember(path, len(content), io.BytesIO(content))

    def staged(self) -> list[str]:
        """Return the names of the staged files."""
        return os.listdir(os.path.join(self.root, ".minreg", "new"))

    def test_once(self) -> None:
        """Equal files of an archive are stored once."""
        with self.staging:
            kept = [self.staging.add(self.file("a"), digest) for digest in (None, DIGEST, None)]
            kept += [self.staging.add(self.file("b"), None)]
            self.assertEqual({file.digest for file in kept}, {DIGEST})
            self.assertEqual(len(self.staged()), 1)
            for file in kept:
                file.commit()
                with file.open() as opened:
                    self.assertEqual(opened.read(), CONTENT)
        self.assertEqual(os.listdir(os.path.join(self.root, "blobs")), [str(DIGEST)])

    def test_discarded(self) -> None:
        """Files that were not committed are removed at the end, damaged ones at once."""
        with self.staging:
            self.staging.add(self.file("a"), None)
            for content in (b"damaged", CONTENT):
                refusal = self.assertRaises(
                    ArchiveInvalid, self.staging.add, self.file("b", content), Digest.of(b"x")
                )
                self.assertIn("'b' is damaged", str(refusal))
            self.assertEqual(len(self.staged()), 1)
        self.assertEqual(self.staged(), [])
