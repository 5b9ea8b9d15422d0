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


class TreeSpoolTests(SynchronousTestCase):
    """Tests for ``StagingArea``."""

    def setUp(self) -> None:
        """Have a spool in a tree."""
        self.root = self.mktemp()
        tree = TreeWriter(self.root, "a test").__enter__()
        self.addCleanup(tree.__exit__, None, None, None)
        self.spool = StagingArea(tree)

    def file(self, path: str, content: bytes = CONTENT) -> FileMember:
        """Make a member of an archive."""
        return FileMember(path, len(content), io.BytesIO(content))

    def spooled(self) -> list[str]:
        """List the files out of sight."""
        return os.listdir(os.path.join(self.root, ".minreg", "new"))

    def test_once(self) -> None:
        """However often an archive has the same bytes, they lie on the disk once."""
        with self.spool:
            kept = [self.spool.keep(self.file("a"), digest) for digest in (None, DIGEST, None)]
            kept += [self.spool.keep(self.file("b"), None)]
            self.assertEqual({one.digest for one in kept}, {DIGEST})
            self.assertEqual(len(self.spooled()), 1)
            for one in kept:
                one.commit()
                with one.open() as file:
                    self.assertEqual(file.read(), CONTENT)
        self.assertEqual(os.listdir(os.path.join(self.root, "blobs")), [str(DIGEST)])

    def test_discarded(self) -> None:
        """What is not committed goes, and what turns out to be damaged goes at once."""
        with self.spool:
            self.spool.keep(self.file("a"), None)
            for content in (b"damaged", CONTENT):
                refusal = self.assertRaises(
                    ArchiveInvalid, self.spool.keep, self.file("b", content), Digest.of(b"x")
                )
                self.assertIn("'b' is damaged", str(refusal))
            self.assertEqual(len(self.spooled()), 1)
        self.assertEqual(self.spooled(), [])
