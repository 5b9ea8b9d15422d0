"""Files and links that appear in a tree whole, or not at all, whenever the power fails.

Each is made under a name that nobody looks at, brought to the disk, and renamed; then the
directory is brought to the disk too, so that what was named later never outlives it.
"""

import errno
import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import BinaryIO, Self

from minreg.fill.errors import ContentMismatch
from minreg.fill.tree.directories import Directory, opened, writing
from minreg.oci.names import Digest


class AtomicFiles:
    """Makes files in a private directory, and puts them where they belong.

    Args:
        directory: For files in the making. It lies on the same file system as the tree,
            and belongs to one process at a time.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def discard_leftovers(self) -> None:
        """Remove what a process that was killed left behind.

        Raises:
            TreeNotWritable: It cannot be removed.
        """
        for name in self._directory.list_names():
            self._directory.remove(name)

    def name_new(self) -> str:
        """Name a file that is still to be made in the directory."""
        return str(next(self._numbers))

    def place_file(self, directory: Directory, name: str, content: bytes) -> None:
        """Put a file with ``content`` into a directory, in place of what is there.

        Raises:
            TreeNotWritable: That cannot be done there.
        """
        with self._making(directory, name) as new:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(self._directory.open_file(new, flags), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    def place_link(self, directory: Directory, name: str, target: str) -> None:
        """Put a symbolic link into a directory, in place of what is there.

        Raises:
            TreeNotWritable: That cannot be done there.
        """
        with self._making(directory, name) as new:
            os.symlink(target, new, dir_fd=self._directory.descriptor)

    def place_hard_link(self, directory: Directory, name: str, source: Directory) -> None:
        """Put a file of the same name in ``source`` into a directory, too.

        Raises:
            TreeNotWritable: That cannot be done there.
        """
        with self._making(directory, name) as new:
            os.link(
                name,
                new,
                src_dir_fd=source.descriptor,
                dst_dir_fd=self._directory.descriptor,
                follow_symlinks=True,
            )

    @contextmanager
    def _making(self, directory: Directory, name: str) -> Iterator[str]:
        new = self.name_new()
        with writing(directory.path_of(name)):
            try:
                yield new
                directory.take(name, self._directory, new)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=self._directory.descriptor)
                raise


def make_directories(path: str) -> None:
    """Make a directory wherever it belongs, and those above it, and sync their names.

    Raises:
        TreeNotWritable: That cannot be done there.
    """
    if os.path.isdir(path):
        return
    above = os.path.dirname(os.path.abspath(path))
    make_directories(above)
    with writing(path):
        with suppress(FileExistsError):
            os.mkdir(path)
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        with opened(above) as descriptor:
            os.fsync(descriptor)


class StagedBlob:
    """Bytes of which it turns out in the end which blob they are.

    Unlike a ``PartialBlob`` it ends with the process, and holds no file open between
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


_CHUNK = 1024 * 1024


class PartialBlob:
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
