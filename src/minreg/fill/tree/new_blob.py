"""A blob that comes in one go, and that is put in its place later, or not at all."""

import hashlib
import os
from typing import BinaryIO

from minreg.fill.tree.directories import Directory, writing
from minreg.names import Digest


class NewBlob:
    """Bytes of which it turns out in the end which blob they are.

    Unlike a ``Partial`` it ends with the process, and holds no file open between
    ``finish`` and ``commit``, so that there can be any number of them.

    Args:
        directory: Where files lie that nobody looks at, and that are removed should the
            process die.
        name: A file there that is still to be made.
        blobs: Where blobs belong, on the same file system.
        algorithm: That of the digest.
    """

    def __init__(self, directory: Directory, name: str, blobs: Directory, algorithm: str) -> None:
        self._directory = directory
        self._name = name
        self._blobs = blobs
        self._hash = hashlib.new(algorithm)
        self._is_committed = False
        self.size = 0
        """Bytes that were written."""
        descriptor = directory.open_file(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    @property
    def digest(self) -> Digest:
        """The digest of what was written."""
        return Digest(self._hash.name, self._hash.hexdigest())

    def write(self, content: bytes) -> None:
        """Append bytes.

        Raises:
            TreeNotWritable: The disk does not take them.
        """
        with writing(self._directory.path_of(self._name)):
            rest = memoryview(content)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._hash.update(content)
        self.size += len(content)

    def finish(self) -> None:
        """Say that nothing more comes."""
        self._file.close()

    def open(self) -> BinaryIO:
        """Open what was written; the caller closes it."""
        return self._directory.read_file(self._name)

    def commit(self) -> None:
        """Make it part of the tree, unless that was done.

        Raises:
            TreeNotWritable: It cannot be put where it belongs.
        """
        if self._is_committed:
            return
        name = str(self.digest)
        with writing(self._blobs.path_of(name)):
            with self.open() as file:
                os.fsync(file.fileno())
            self._blobs.take(name, self._directory, self._name)
        self._directory, self._name = self._blobs, name
        self._is_committed = True

    def discard(self) -> None:
        """Drop it, unless it was committed."""
        self._file.close()
        if not self._is_committed:
            self._directory.remove(self._name)
