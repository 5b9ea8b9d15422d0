"""Files, links and blobs that are prepared in the tree's private directory.

Each appears in the tree complete or not at all, even after a power failure:
``minreg.atomic`` says why that takes the order write, flush, rename, flush the directory.
"""

import errno
import hashlib
import itertools
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import BinaryIO

from minreg.atomic import replace_atomically, write_file_atomically
from minreg.fill.errors import ContentMismatch
from minreg.fill.tree.directories import Directory, open_directory, translate_os_errors
from minreg.oci.names import Digest

_CHUNK = 1024 * 1024


class AtomicFiles:
    """Creates files and links in a staging directory, and renames them into the tree.

    Args:
        directory: The staging directory. It is on the same file system as the tree, and only
            one process uses it at a time.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def remove_leftovers(self) -> None:
        """Remove the files that a killed process left in the staging directory.

        Raises:
            TreeNotWritable: They cannot be removed.
        """
        for name in self._directory.list_names():
            self._directory.remove(name)

    def new_name(self) -> str:
        """Return a name that is not used in the staging directory."""
        return str(next(self._numbers))

    def write_file(self, directory: Directory, name: str, content: bytes) -> None:
        """Create or replace a file in a directory.

        Raises:
            TreeNotWritable: The file cannot be written.
        """
        with translate_os_errors(directory.path_of(name)):
            write_file_atomically(
                name,
                content,
                temporary=self.new_name(),
                directory=directory.descriptor,
                temporary_directory=self._directory.descriptor,
            )

    def write_symbolic_link(self, directory: Directory, name: str, target: str) -> None:
        """Create or replace a symbolic link in a directory.

        Raises:
            TreeNotWritable: The link cannot be created.
        """
        with self._replace(directory, name) as temporary:
            os.symlink(target, temporary, dir_fd=self._directory.descriptor)

    def write_hard_link(self, directory: Directory, name: str, source: Directory) -> None:
        """Create or replace a hard link to the file of the same name in ``source``.

        Raises:
            TreeNotWritable: The link cannot be created.
        """
        with self._replace(directory, name) as temporary:
            os.link(
                name,
                temporary,
                src_dir_fd=source.descriptor,
                dst_dir_fd=self._directory.descriptor,
                follow_symlinks=True,
            )

    @contextmanager
    def _replace(self, directory: Directory, name: str) -> Iterator[str]:
        temporary = self.new_name()
        with (
            translate_os_errors(directory.path_of(name)),
            replace_atomically(
                name,
                temporary,
                directory=directory.descriptor,
                temporary_directory=self._directory.descriptor,
            ),
        ):
            yield temporary


def make_directories(path: str) -> None:
    """Create a directory and its missing parents, and flush their names to the disk.

    Raises:
        TreeNotWritable: One cannot be created.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(os.path.abspath(path))
    make_directories(parent)
    with translate_os_errors(path):
        with suppress(FileExistsError):
            os.mkdir(path)
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        with open_directory(parent) as descriptor:
            os.fsync(descriptor)


class StagedBlob:
    """A blob whose digest is only known when all of it was written.

    Unlike a ``PartialBlob`` it is removed if the process dies, and it holds no file descriptor
    between ``finish`` and ``commit``, so there can be any number of them.

    Args:
        directory: The staging directory.
        name: A name that is not used there.
        blobs: The directory of blobs, on the same file system.
        algorithm: The algorithm of the digest.
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
        """The digest of the bytes that were written."""
        return Digest(self._hash.name, self._hash.hexdigest())

    def write(self, content: bytes) -> None:
        """Append bytes.

        Raises:
            TreeNotWritable: The disk is full or broken.
        """
        with translate_os_errors(self._directory.path_of(self._name)):
            remaining = memoryview(content)
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
        self._hash.update(content)
        self.size += len(content)

    def finish(self) -> None:
        """Close the file: all of the blob was written."""
        self._file.close()

    def open(self) -> BinaryIO:
        """Open the blob for reading; the caller closes it."""
        return self._directory.read_file(self._name)

    def commit(self) -> None:
        """Move the blob into the tree, unless that was done before.

        Raises:
            TreeNotWritable: It cannot be moved.
        """
        if self._is_committed:
            return
        name = str(self.digest)
        with translate_os_errors(self._blobs.path_of(name)):
            with self.open() as file:
                os.fsync(file.fileno())
            self._blobs.move_in(name, self._directory, self._name)
        self._directory, self._name = self._blobs, name
        self._is_committed = True

    def discard(self) -> None:
        """Remove the blob, unless it was committed."""
        self._file.close()
        if not self._is_committed:
            self._directory.remove(self._name)


class PartialBlob(AbstractContextManager["PartialBlob"]):
    """The beginning of a blob. It stays on the disk, for the next process, until it is committed.

    Args:
        directory: The directory of partial blobs. A file there may contain the bytes that an
            earlier process received; they are hashed now.
        blobs: The directory of blobs, on the same file system.
        digest: The digest of the complete blob.

    Raises:
        TreeNotWritable: The partial blob is not a file that can be written.
    """

    def __init__(self, directory: Directory, blobs: Directory, digest: Digest) -> None:
        self._directory = directory
        self._blobs = blobs
        self._digest = digest
        self._destination = blobs.path_of(str(digest))
        descriptor = directory.open_file(str(digest), os.O_RDWR | os.O_CREAT)
        # Unbuffered, so that every received byte is in the file if the process is killed.
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._hash = hashlib.new(digest.algorithm)
        self.offset = 0
        """Bytes that were written, those of earlier processes included."""
        self._hash_beginning()

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def write(self, content: bytes | memoryview) -> None:
        """Append bytes.

        Raises:
            TreeNotWritable: The disk is full or broken.
        """
        with translate_os_errors(self._destination):
            remaining = memoryview(content)
            while remaining:
                remaining = remaining[self._file.write(remaining) :]
        self._hash.update(content)
        self.offset += len(content)

    def restart(self) -> None:
        """Drop all bytes: they are wrong, or are sent again from the beginning."""
        with translate_os_errors(self._destination):
            self._file.seek(0)
            self._file.truncate()
        self._hash = hashlib.new(self._digest.algorithm)
        self.offset = 0

    def commit(self, size: int) -> None:
        """Move the blob into the tree, if it has the right size and digest.

        Args:
            size: The size that it must have, in bytes.

        Raises:
            ContentMismatch: It has another size or digest. All bytes were dropped.
            TreeNotWritable: It cannot be moved.
        """
        if self.offset != size:
            received = self.offset
            self.restart()
            raise ContentMismatch(
                f"{self._digest} should have {size} bytes, but {received} were received"
            )
        if self._hash.hexdigest() != self._digest.encoded:
            computed = f"{self._digest.algorithm}:{self._hash.hexdigest()}"
            self.restart()
            raise ContentMismatch(
                f"{self._digest} was expected, but the received bytes have {computed}"
            )
        with translate_os_errors(self._destination):
            os.fsync(self._file.fileno())
            self._blobs.move_in(str(self._digest), self._directory, str(self._digest))
        self._file.close()

    def close(self) -> None:
        """Close the file; the bytes stay for the next process, an empty file is removed."""
        if self._file.closed:
            return
        self._file.close()
        if self.offset == 0:
            self._directory.remove(str(self._digest))

    def _hash_beginning(self) -> None:
        while chunk := self._file.read(_CHUNK):
            self._hash.update(chunk)
            self.offset += len(chunk)
