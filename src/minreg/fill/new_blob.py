"""A blob that comes in one go, and that is put in its place later, or not at all."""

import hashlib
import os
from contextlib import suppress
from typing import BinaryIO

from minreg.fill.durable import rename, writing
from minreg.names import Digest


class NewBlob:
    """Bytes of which it turns out in the end which blob they are.

    Unlike a ``Partial`` it ends with the process, and holds no file open between
    ``finish`` and ``commit``, so that there can be any number of them.

    Args:
        path: A file that nobody looks at, and that is removed should the process die.
        directory: Where blobs belong, on the same file system.
        algorithm: That of the digest.
    """

    def __init__(self, path: str, directory: str, algorithm: str) -> None:
        self._path = path
        self._directory = directory
        self._hash = hashlib.new(algorithm)
        self._is_committed = False
        self.size = 0
        """Bytes that were written."""
        with writing(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.fdopen(os.open(path, flags, 0o666), "wb", buffering=0)

    @property
    def digest(self) -> Digest:
        """The digest of what was written."""
        return Digest(self._hash.name, self._hash.hexdigest())

    def write(self, content: bytes) -> None:
        """Append bytes.

        Raises:
            TreeNotWritable: The disk does not take them.
        """
        with writing(self._path):
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
        return open(self._path, "rb")

    def commit(self) -> None:
        """Make it part of the tree, unless that was done.

        Raises:
            TreeNotWritable: It cannot be put where it belongs.
        """
        if self._is_committed:
            return
        destination = os.path.join(self._directory, str(self.digest))
        with writing(destination):
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            rename(self._path, destination)
        self._path = destination
        self._is_committed = True

    def discard(self) -> None:
        """Drop it, unless it was committed."""
        self._file.close()
        if not self._is_committed:
            with writing(self._path), suppress(FileNotFoundError):
                os.unlink(self._path)
