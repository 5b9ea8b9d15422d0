"""Tests for ``minreg.fill.tree.atomic``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import ContentMismatch
from minreg.fill.tree.atomic import PartialBlob
from minreg.fill.tree.directories import Directories
from minreg.oci.names import Digest

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)


class PartialTests(SynchronousTestCase):
    """Tests for ``PartialBlob``."""

    def setUp(self) -> None:
        """Make a directory for the partial and for the blob."""
        self.root = self.mktemp()
        for name in ("partial", "blobs"):
            os.makedirs(os.path.join(self.root, name))
        self.path = os.path.join(self.root, "partial", str(DIGEST))

    @contextmanager
    def open_partial(self, digest: Digest = DIGEST) -> Iterator[PartialBlob]:
        """Open the partial, as a process that has just started does, and close all it needs."""
        directories = Directories(self.root)
        with directories.open("partial") as directory, directories.open("blobs") as blobs:
            with PartialBlob(directory, blobs, digest) as partial:
                yield partial

    def read_blob(self, digest: Digest = DIGEST) -> bytes:
        """Read the blob that was committed."""
        with open(os.path.join(self.root, "blobs", str(digest)), "rb") as file:
            return file.read()

    def list_files(self) -> list[str]:
        """List what is left of the partial, and what became of it."""
        return [name for _, _, names in os.walk(self.root) for name in names]

    def test_commit(self) -> None:
        """A whole blob moves to its place."""
        with self.open_partial() as partial:
            partial.write(CONTENT)
            partial.commit(len(CONTENT))
        self.assertEqual(self.read_blob(), CONTENT)
        self.assertFalse(os.path.exists(self.path))

    def test_sha512(self) -> None:
        """A blob may be addressed by the other algorithm."""
        digest = Digest.of(CONTENT, "sha512")
        with self.open_partial(digest) as partial:
            partial.write(CONTENT)
            partial.commit(len(CONTENT))
        self.assertEqual(self.read_blob(digest), CONTENT)

    @given(st.lists(st.integers(0, len(CONTENT)), max_size=5))
    def test_resume(self, breaks: list[int]) -> None:
        """However often it breaks, each process goes on where the last one stopped."""
        for end in [*sorted(breaks), len(CONTENT)]:
            with self.open_partial() as partial:
                partial.write(CONTENT[partial.offset : end])
        with self.open_partial() as partial:
            self.assertEqual(partial.offset, len(CONTENT))
            partial.commit(len(CONTENT))
        self.assertEqual(self.read_blob(), CONTENT)

    def test_wrong_digest(self) -> None:
        """Wrong bytes are never stored, and the next attempt begins anew."""
        with self.open_partial() as partial:
            partial.write(b"987654321.")
            failure = self.assertRaises(ContentMismatch, partial.commit, len(CONTENT))
            self.assertEqual(partial.offset, 0)
            partial.write(CONTENT)
            partial.commit(len(CONTENT))
        self.assertIn(f"{DIGEST} was expected, and the bytes are sha256:", str(failure))
        self.assertEqual(self.read_blob(), CONTENT)

    def test_wrong_size(self) -> None:
        """A blob that is shorter than its descriptor says is not stored either."""
        with self.open_partial() as partial:
            partial.write(CONTENT)
            failure = self.assertRaises(ContentMismatch, partial.commit, 11)
        self.assertEqual(str(failure), f"{DIGEST} should have 11 bytes, and 10 came")
        self.assertEqual(self.list_files(), [])

    def test_restart(self) -> None:
        """After a restart only the new bytes count."""
        with self.open_partial() as partial:
            partial.write(b"wrong beginning, and a long one")
            partial.restart()
            partial.write(CONTENT)
            partial.commit(len(CONTENT))
        self.assertEqual(self.read_blob(), CONTENT)
