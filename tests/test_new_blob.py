"""Tests for ``minreg.fill.tree.atomic``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import TreeNotWritable
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest

CONTENT = b"a layer"
DIGEST = Digest.of(CONTENT)


class NewBlobTests(SynchronousTestCase):
    """Tests for ``StagedBlob``, as a writer gives it."""

    def setUp(self) -> None:
        """Begin to write a tree."""
        self.root = self.mktemp()
        self.tree = TreeWriter(self.root, "a test").__enter__()
        self.addCleanup(self.tree.__exit__, None, None, None)

    def list_files(self) -> list[str]:
        """List the files of the tree but the lock's, by what they are called."""
        found = [name for _, _, names in os.walk(self.root) for name in names]
        return sorted(name for name in found if name != "lock")

    def test_commit(self) -> None:
        """A blob appears under the digest that it turns out to have."""
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
        """It can be read before it is committed, and after."""
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
        """Nothing stays of what is discarded, at whatever moment."""
        begun, finished = self.tree.new_blob("sha256"), self.tree.new_blob("sha256")
        begun.write(CONTENT)
        finished.finish()
        self.assertEqual(len(self.list_files()), 2)
        for blob in (begun, finished, begun):
            blob.discard()
        self.assertEqual(self.list_files(), [])

    def test_killed(self) -> None:
        """What a process left behind is gone when the next one begins."""
        self.tree.new_blob("sha256").write(CONTENT)
        self.tree.__exit__(None, None, None)
        with TreeWriter(self.root, "another test"):
            self.assertEqual(self.list_files(), [])

    def test_full_disk(self) -> None:
        """A disk that takes no more is told, with what to do."""
        blob = self.tree.new_blob("sha256")
        blob.finish()
        blob._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - discard closes it
        failure = self.assertRaises(TreeNotWritable, blob.write, CONTENT)
        self.assertIn("No space left on device; make room on the disk", str(failure))
        blob.discard()

    def test_room(self) -> None:
        """The tree knows how much room it has."""
        self.assertGreater(self.tree.measure_room(), 0)
