"""Opens the directories of a tree for changes, so that nothing outside of it can be changed.

Trees contain links, and may come from strangers. So no path is passed to a call that changes
something. Instead a directory is opened, /proc/self/fd tells where it really is, and only if
that is within the root are names in it created, replaced or removed, relative to its
descriptor. Exchanging a directory for a link meanwhile has no effect then.

The private directory ``.minreg`` must be where its path says: no link may lead into or out of
it. Linux only, with /proc.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import attrs

from minreg.fill.errors import TreeNotWritable
from minreg.fill.tree.layout import PRIVATE, levels

_FIXES = {
    errno.EACCES: "give this user write permission there",
    errno.EPERM: "give this user write permission there",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "free disk space, then start again: what is complete stays",
    errno.EDQUOT: "free space in the quota, then start again: what is complete stays",
    errno.EISDIR: "remove the directory",
    errno.ENOTDIR: "remove the file",
    errno.ELOOP: "remove the link",
    errno.EXDEV: "put all of the tree on one file system",
}

# Follow no link, wait for no pipe, and do not become the owner of a terminal.
_SAFE_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@attrs.frozen
class Directory:
    """An open directory of a tree. ``path`` is for messages; it is not used to open anything."""

    descriptor: int
    path: str

    def path_of(self, name: str) -> str:
        """Return the path of an entry, for messages."""
        return os.path.join(self.path, name)

    def open_file(self, name: str, flags: int) -> int:
        """Open a file for writing, and return its descriptor.

        Raises:
            TreeNotWritable: It cannot be opened, is not a regular file, or has more than one
                hard link: the file would change outside of the tree as well.
        """
        with translate_os_errors(self.path_of(name)):
            try:
                descriptor = os.open(name, flags | _SAFE_FLAGS, 0o666, dir_fd=self.descriptor)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENXIO):
                    raise
                raise self._not_private(name) from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            os.close(descriptor)
            raise self._not_private(name)
        return descriptor

    def read_file(self, name: str) -> BinaryIO:
        """Open a file for reading, links not followed; the caller closes it."""
        return os.fdopen(os.open(name, os.O_RDONLY | _SAFE_FLAGS, dir_fd=self.descriptor), "rb")

    def move_in(self, name: str, source: "Directory", source_name: str) -> None:
        """Move a file, already flushed to the disk, here, and flush the new name too."""
        os.rename(source_name, name, src_dir_fd=source.descriptor, dst_dir_fd=self.descriptor)
        self.sync()

    def make_directory(self, name: str) -> None:
        """Create a directory, unless the name exists."""
        with translate_os_errors(self.path_of(name)):
            try:
                os.mkdir(name, dir_fd=self.descriptor)
            except FileExistsError:
                return
            self.sync()

    def remove(self, name: str) -> None:
        """Remove a file or a link, if it exists.

        Raises:
            TreeNotWritable: It cannot be removed.
        """
        with translate_os_errors(self.path_of(name)):
            try:
                os.unlink(name, dir_fd=self.descriptor)
            except FileNotFoundError:
                return

    def remove_directory(self, name: str) -> None:
        """Remove a directory, if it exists and is empty."""
        with suppress(OSError):
            os.rmdir(name, dir_fd=self.descriptor)

    def has(self, name: str) -> bool:
        """Return whether a name exists, as a broken link too."""
        try:
            os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def read_link(self, name: str) -> str | None:
        """Return the target of a link; None if there is no such link."""
        try:
            return os.readlink(name, dir_fd=self.descriptor)
        except OSError:
            return None

    def list_names(self) -> list[str]:
        """Return the names of all entries."""
        return os.listdir(self.descriptor)

    def sync(self) -> None:
        """Flush its names to the disk."""
        os.fsync(self.descriptor)

    def _not_private(self, name: str) -> TreeNotWritable:
        return TreeNotWritable(
            f"cannot write {self.path_of(name)}: it is no regular file, or has more than one "
            "hard link; remove it"
        )


class Directories:
    """Opens and creates the directories of one tree by their paths below the root.

    Args:
        root: The tree's root, which exists.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    @contextmanager
    def open(self, path: str) -> Iterator[Directory]:
        """Open a directory, to change entries of it.

        Args:
            path: Its path below the root; empty for the root itself.

        Raises:
            FileNotFoundError: It does not exist.
            TreeNotWritable: It cannot be opened, or is not in the tree.
        """
        whole_path = os.path.join(self._root, path) if path else self._root
        with open_directory(self._root) as root, open_directory(whole_path) as descriptor:
            real_path = os.path.relpath(_real_path(descriptor), _real_path(root))
            if not _is_allowed(path, real_path):
                raise TreeNotWritable(_describe_location(path, whole_path, _real_path(descriptor)))
            yield Directory(descriptor, whole_path)

    def make(self, path: str) -> None:
        """Create a directory and its missing parents.

        Raises:
            TreeNotWritable: One cannot be created, or is not in the tree.
        """
        for level in levels(path):
            parent, name = os.path.split(level)
            with self.open(parent) as directory:
                directory.make_directory(name)
            self.check(level)

    def check(self, path: str) -> None:
        """Check that a directory exists and may be changed.

        Raises:
            TreeNotWritable: It does not exist, or is not in the tree.
        """
        try:
            with self.open(path):
                return
        except FileNotFoundError:
            raise TreeNotWritable(
                f"cannot write {os.path.join(self._root, path)}: it is a broken link; remove it"
            ) from None


@contextmanager
def open_directory(path: str) -> Iterator[int]:
    """Open a directory by its path, wherever it is, and give its descriptor.

    Raises:
        FileNotFoundError: It does not exist.
        TreeNotWritable: It cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _translate(path, error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def translate_os_errors(path: str) -> Iterator[None]:
    """Raise TreeNotWritable for an OSError: what could not be written, why, and what to do."""
    try:
        yield
    except OSError as error:
        raise _translate(path, error) from None


def _translate(path: str, error: OSError) -> TreeNotWritable:
    fix = _FIXES.get(error.errno or 0, "check the disk and the system log")
    return TreeNotWritable(f"cannot write {path}: {error.strerror}; {fix}")


def _real_path(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _is_allowed(path: str, real_path: str) -> bool:
    """Return whether a directory may be changed.

    Args:
        path: Its path below the root.
        real_path: The same with links resolved, relative to the root.
    """
    top = real_path.split("/", 1)[0]
    if PRIVATE in (path.split("/", 1)[0], top):
        return real_path == path
    return top != os.pardir


def _describe_location(path: str, whole_path: str, real_path: str) -> str:
    if path.split("/", 1)[0] == PRIVATE:
        return (
            f"cannot write {whole_path}: it is a link to {real_path}, or below one; "
            "remove the link"
        )
    return (
        f"cannot write {whole_path}: it is a link out of the tree, to {real_path}; "
        "replace the link by a copy of the directory, or use another tree"
    )
