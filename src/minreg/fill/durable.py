"""Files and links that appear in a tree whole, or not at all, whenever the power fails.

Each is made under a name that nobody looks at, brought to the disk, and renamed; then the
directory is brought to the disk too, so that what was named later never outlives it.
"""

import errno
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from minreg.fill.failures import TreeNotWritable

_MENDS = {
    errno.EACCES: "give this user the right to write there",
    errno.EPERM: "give this user the right to write there",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "make room on the disk, then start again: what is complete stays",
    errno.EDQUOT: "make room in the quota, then start again: what is complete stays",
    errno.EISDIR: "remove the directory that is in the way",
    errno.ENOTDIR: "remove the file that is in the way",
    errno.EXDEV: "one tree must lie on one file system",
}


class NewFiles:
    """Makes files in a private directory, and puts them where they belong.

    Args:
        directory: For files in the making. It lies on the same file system as the tree,
            and belongs to one process at a time.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def discard_leftovers(self) -> None:
        """Remove what a process that was killed left behind."""
        for name in os.listdir(self._directory):
            os.unlink(os.path.join(self._directory, name))

    def name_new(self) -> str:
        """Name a file that is still to be made in the directory."""
        return os.path.join(self._directory, str(next(self._numbers)))

    def place_file(self, path: str, content: bytes) -> None:
        """Put a file with ``content`` at ``path``, in place of what is there.

        Raises:
            TreeNotWritable: That cannot be done there.
        """
        with self._making(path) as new:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)

    def place_link(self, path: str, target: str) -> None:
        """Put a symbolic link at ``path``, in place of what is there.

        Raises:
            TreeNotWritable: That cannot be done there.
        """
        with self._making(path) as new:
            os.symlink(target, new)

    def place_hard_link(self, path: str, source: str) -> None:
        """Put another name for the file ``source`` at ``path``, in place of what is there.

        Raises:
            TreeNotWritable: That cannot be done there.
        """
        with self._making(path) as new:
            os.link(source, new)

    @contextmanager
    def _making(self, path: str) -> Iterator[str]:
        new = self.name_new()
        with writing(path):
            try:
                yield new
                rename(new, path)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(new)
                raise


def rename(old: str, new: str) -> None:
    """Rename a file that is on the disk, and bring the new name to the disk as well."""
    os.rename(old, new)
    sync_directory(os.path.dirname(new))


def sync_directory(path: str) -> None:
    """Bring a directory's names to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: str) -> None:
    """Make a directory and those above it, and bring their names to the disk.

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
        sync_directory(above)


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Say of an error of the operating system what could not be written, and the mend."""
    try:
        yield
    except OSError as error:
        code = error.errno or 0
        mend = _MENDS.get(code, "look at the disk and at the system's log")
        raise TreeNotWritable(f"cannot write {path}: {error.strerror}; {mend}") from None
