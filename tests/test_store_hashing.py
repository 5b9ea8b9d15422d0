"""Tests for ``minreg.store.hashing``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import Digest
from minreg.store.hashing import find_corrupt_files

CONTENT = b"x" * (1024 * 1024 + 1)


class FindCorruptFilesTests(SynchronousTestCase):
    """Tests for ``find_corrupt_files``."""

    def setUp(self) -> None:
        """Write a file of more than one chunk."""
        self.path = os.path.abspath(self.mktemp())
        with open(self.path, "wb") as file:
            file.write(CONTENT)
        self.hashed: list[int] = []

    def find(self, path: str, digest: Digest) -> dict[str, str]:
        """Return what is wrong with a file, by its path."""
        corrupt = find_corrupt_files({path: digest}, self.hashed.append, threads=1)
        return {path: str(corruption) for path, corruption in corrupt.items()}

    def test_correct(self) -> None:
        """A file with its digest, of either algorithm, is not corrupt."""
        for algorithm in ("sha256", "sha512"):
            self.assertEqual(self.find(self.path, Digest.of(CONTENT, algorithm)), {})
        self.assertEqual(self.hashed, [1024 * 1024, 1] * 2)

    def test_corrupt(self) -> None:
        """A file with another digest is corrupt, and was read."""
        corrupt = find_corrupt_files({self.path: Digest.of(b"")}, self.hashed.append)
        self.assertTrue(corrupt[self.path].is_read)
        self.assertEqual(
            str(corrupt[self.path]),
            f"{self.path} does not hold what its name says: remove it and download again",
        )

    def test_unreadable(self) -> None:
        """A file that cannot be read, here because it was removed, is reported."""
        os.unlink(self.path)
        corrupt = find_corrupt_files({self.path: Digest.of(CONTENT)}, self.hashed.append)
        self.assertFalse(corrupt[self.path].is_read)
        self.assertEqual(
            str(corrupt[self.path]), f"{self.path} cannot be read: No such file or directory"
        )
        self.assertEqual(self.hashed, [])
