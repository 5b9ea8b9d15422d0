"""A blob that is still coming, in a file that a later process can go on with."""

import hashlib
import os
from types import TracebackType
from typing import Self

from minreg.fill.failures import ContentMismatch
from minreg.fill.tree.directories import Directory, writing
from minreg.names import Digest

_CHUNK = 1024 * 1024


class Partial:
    """The beginning of a blob. It stays on the disk until it is committed.

    Args:
        directory: Where partial blobs lie; a file there may hold the beginning that an
            earlier process got.
        blobs: Where blobs belong.
        digest: What the whole blob must hash to.

    Raises:
        TreeNotWritable: What lies there is no file that may be written.
    """

    def __init__(self, directory: Directory, blobs: Directory, digest: Digest) -> None:
        self._directory = directory
        self._blobs = blobs
        self._digest = digest
        self._destination = blobs.path_of(str(digest))
        descriptor = directory.open_file(str(digest), os.O_RDWR | os.O_CREAT)
        # Unbuffered: every byte that came is in the file, should the process be killed.
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._hash = hashlib.new(digest.algorithm)
        self.offset = 0
        """Bytes that are here already."""
        self._read_beginning()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, content: bytes | memoryview) -> None:
        """Append bytes.

        Raises:
            TreeNotWritable: The disk does not take them.
        """
        with writing(self._destination):
            rest = memoryview(content)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._hash.update(content)
        self.offset += len(content)

    def restart(self) -> None:
        """Forget all bytes, for they turned out to be wrong or are coming again."""
        with writing(self._destination):
            self._file.seek(0)
            self._file.truncate()
        self._hash = hashlib.new(self._digest.algorithm)
        self.offset = 0

    def commit(self, size: int) -> None:
        """Make the blob part of the tree, if it is the right one.

        Args:
            size: The bytes that it must have.

        Raises:
            ContentMismatch: Its size or its digest is another. The partial is at its
                beginning again.
            TreeNotWritable: It cannot be put where it belongs.
        """
        if self.offset != size:
            came = self.offset
            self.restart()
            raise ContentMismatch(f"{self._digest} should have {size} bytes, and {came} came")
        if self._hash.hexdigest() != self._digest.encoded:
            wrong = f"{self._digest.algorithm}:{self._hash.hexdigest()}"
            self.restart()
            raise ContentMismatch(f"{self._digest} was expected, and the bytes are {wrong}")
        with writing(self._destination):
            os.fsync(self._file.fileno())
            self._blobs.take(str(self._digest), self._directory, str(self._digest))
        self._file.close()

    def close(self) -> None:
        """Leave the bytes for the next one who opens this partial."""
        if self._file.closed:
            return
        self._file.close()
        if self.offset == 0:
            self._directory.remove(str(self._digest))

    def _read_beginning(self) -> None:
        while chunk := self._file.read(_CHUNK):
            self._hash.update(chunk)
            self.offset += len(chunk)
