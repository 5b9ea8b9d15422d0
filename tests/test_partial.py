"""Tests for ``minreg.fill.tree.staging``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import ContentMismatch
from minreg.fill.tree.directories import Directories
from minreg.fill.tree.staging import PartialBlob
from minreg.oci.names import Digest

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)


class PartialTests(SynchronousTestCase):
    """Tests for ``PartialBlob``."""

    def setUp(self) -> None:
        """Create the directories of partial blobs and of blobs."""
        self.root = self.mktemp()
        for name in ("partial", "blobs"):
            os.makedirs(os.path.join(self.root, name))
        self.path = os.path.join(self.root, "partial", str(DIGEST))

    @contextmanager
    def open_partial(self, digest: Digest = DIGEST) -> Iterator[PartialBlob]:
        """Open the partial blob, as a new process does, and close it afterwards."""
        directories = Directories(self.root)
        with directories.open("partial") as directory, directories.open("blobs") as blobs:
            with PartialBlob(directory, blobs, digest) as partial:
                yield partial

    def read_blob(self, digest: Digest = DIGEST) -> bytes:
        """Read the blob that was committed."""
        with open(os.path.join(self.root, "blobs", str(digest)), "rb") as file:
            return file.read()

    def list_files(self) -> list[str]:
        """Return the names of all files."""
        return [name for _, _, names in os.walk(self.root) for name in names]

    def test_commit(self) -> None:
        """A complete blob is moved to the blobs."""
        with self.open_partial() as partial:
            partial.write(CONTENT)
            partial.commit(len(CONTENT))
        self.assertEqual(self.read_blob(), CONTENT)
        self.assertFalse(os.path.exists(self.path))

    def test_sha512(self) -> None:
        """A blob can have a sha512 digest."""
        digest = Digest.of(CONTENT, "sha512")
        with self.open_partial(digest) as partial:
            partial.write(CONTENT)
            partial.commit(len(CONTENT))
        self.assertEqual(self.read_blob(digest), CONTENT)

    @given(st.lists(st.integers(0, len(CONTENT)), max_size=5))
    def test_resume(self, breaks: list[int]) -> None:
        """Each process continues where the last one stopped."""
        for end in [*sorted(breaks), len(CONTENT)]:
            with self.open_partial() as partial:
                partial.write(CONTENT[partial.offset : end])
        with self.open_partial() as partial:
            self.assertEqual(partial.offset, len(CONTENT))
            partial.commit(len(CONTENT))
        self.assertEqual(self.read_blob(), CONTENT)

    def test_wrong_digest(self) -> None:
        """Wrong bytes are not stored, and the next attempt starts from the beginning."""
        with self.open_partial() as partial:
            partial.write(b"987654321.")
            failure = self.assertRaises(ContentMismatch, partial.commit, len(CONTENT))
            self.assertEqual(partial.offset, 0)
            partial.write(CONTENT)
            partial.commit(len(CONTENT))
        self.assertIn(f"{DIGEST} was expected, but the received bytes have sha256:", str(failure))
        self.assertEqual(self.read_blob(), CONTENT)

    def test_wrong_size(self) -> None:
        """A blob that is shorter than its descriptor says is not stored."""
        with self.open_partial() as partial:
            partial.write(CONTENT)
            failure = self.assertRaises(ContentMismatch, partial.commit, 11)
        self.assertEqual(str(failure), f"{DIGEST} should have 11 bytes, but 10 were received")
        self.assertEqual(self.list_files(), [])

    def test_restart(self) -> None:
        """After a restart only new bytes count."""
        with self.open_partial() as partial:
            partial.write(b"wrong beginning, and a long one")
            partial.restart()
            partial.write(CONTENT)
            partial.commit(len(CONTENT))
        self.assertEqual(self.read_blob(), CONTENT)
