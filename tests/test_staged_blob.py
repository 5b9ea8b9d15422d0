"""Tests for ``minreg.fill.tree.staging``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import TreeNotWritable
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest

CONTENT = b"a layer"
DIGEST = Digest.of(CONTENT)


class StagedBlobTests(SynchronousTestCase):
    """Tests for ``StagedBlob``, as ``TreeWriter.new_blob`` returns it."""

    def setUp(self) -> None:
        """Open a tree for writing."""
        self.root = self.mktemp()
        self.tree = TreeWriter(self.root, "a test").__enter__()
        self.addCleanup(self.tree.__exit__, None, None, None)

    def list_files(self) -> list[str]:
        """Return the names of the tree's files without the lock."""
        found = [name for _, _, names in os.walk(self.root) for name in names]
        return sorted(name for name in found if name != "lock")

    def test_commit(self) -> None:
        """A blob is committed under the digest of its bytes."""
        blob = self.tree.new_blob("sha256")
        blob.write(CONTENT[:3])
        blob.write(CONTENT[3:])
        blob.finish()
        self.assertIsNone(self.tree.find_blob(DIGEST, len(CONTENT)))
        self.assertEqual((blob.digest, blob.size), (DIGEST, len(CONTENT)))
        blob.commit()
        self.assertEqual(self.list_files(), [str(DIGEST)])
        path = self.tree.find_blob(DIGEST, len(CONTENT))
        self.assertEqual(path, os.path.join(self.root, "blobs", str(DIGEST)))
        blob.commit()
        blob.discard()
        self.assertEqual(self.list_files(), [str(DIGEST)])

    def test_open(self) -> None:
        """It can be read before and after it is committed."""
        blob = self.tree.new_blob("sha512")
        blob.write(CONTENT)
        blob.finish()
        self.assertEqual(blob.digest, Digest.of(CONTENT, "sha512"))
        with blob.open() as file:
            self.assertEqual(file.read(), CONTENT)
        blob.commit()
        with blob.open() as file:
            self.assertEqual(file.read(), CONTENT)

    def test_discard(self) -> None:
        """A discarded blob is removed, finished or not."""
        begun, finished = self.tree.new_blob("sha256"), self.tree.new_blob("sha256")
        begun.write(CONTENT)
        finished.finish()
        self.assertEqual(len(self.list_files()), 2)
        for blob in (begun, finished, begun):
            blob.discard()
        self.assertEqual(self.list_files(), [])

    def test_killed(self) -> None:
        """What a killed process staged is removed when the next one begins."""
        self.tree.new_blob("sha256").write(CONTENT)
        self.tree.__exit__(None, None, None)
        with TreeWriter(self.root, "another test"):
            self.assertEqual(self.list_files(), [])

    def test_full_disk(self) -> None:
        """A full disk is reported with what to do."""
        blob = self.tree.new_blob("sha256")
        blob.finish()
        blob._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - discard closes it
        failure = self.assertRaises(TreeNotWritable, blob.write, CONTENT)
        self.assertIn("No space left on device; free disk space", str(failure))
        blob.discard()

    def test_room(self) -> None:
        """The free space is measured."""
        self.assertGreater(self.tree.measure_free_space(), 0)
