"""The directories of a tree, opened so that nothing outside of the tree can be changed.

Trees are made of links, and may come from anyone. So nothing in a tree is changed by its
path: a directory is opened, the kernel tells where that really is, and only if it is
within the root are names in it made, replaced or removed, relative to what was opened.
What is minreg's own, below ``.minreg``, must lie where it seems to: no link leads there,
nor out of there. Linux only, with /proc.
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

_MENDS = {
    errno.EACCES: "give this user the right to write there",
    errno.EPERM: "give this user the right to write there",
    errno.EROFS: "the file system is mounted read-only",
    errno.ENOSPC: "make room on the disk, then start again: what is complete stays",
    errno.EDQUOT: "make room in the quota, then start again: what is complete stays",
    errno.EISDIR: "remove the directory that is in the way",
    errno.ENOTDIR: "remove the file that is in the way",
    errno.ELOOP: "remove the link that is in the way",
    errno.EXDEV: "one tree must lie on one file system",
}

_AS_IT_IS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@attrs.frozen
class Directory:
    """A directory of a tree, open as long as whoever opened it says; ``path`` is for people."""

    descriptor: int
    path: str

    def path_of(self, name: str) -> str:
        """Name the path of what lies in it, for people."""
        return os.path.join(self.path, name)

    def open_file(self, name: str, flags: int) -> int:
        """Open a file for writing, and return its descriptor.

        Raises:
            TreeNotWritable: It cannot be opened, or what is there is a link, a pipe or the
                like, or has another name elsewhere, where it would be changed as well.
        """
        with writing(self.path_of(name)):
            try:
                descriptor = os.open(name, flags | _AS_IT_IS, 0o666, dir_fd=self.descriptor)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENXIO):
                    raise
                raise self._foreign(name) from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            os.close(descriptor)
            raise self._foreign(name)
        return descriptor

    def read_file(self, name: str) -> BinaryIO:
        """Open a file for reading; the caller closes it."""
        return os.fdopen(os.open(name, os.O_RDONLY | _AS_IT_IS, dir_fd=self.descriptor), "rb")

    def take(self, name: str, source: "Directory", source_name: str) -> None:
        """Move a file that is on the disk here, in place of what is there, and sync."""
        os.rename(source_name, name, src_dir_fd=source.descriptor, dst_dir_fd=self.descriptor)
        self.sync()

    def make_directory(self, name: str) -> None:
        """Make a directory, unless something is there."""
        with writing(self.path_of(name)):
            try:
                os.mkdir(name, dir_fd=self.descriptor)
            except FileExistsError:
                return
            self.sync()

    def remove(self, name: str) -> None:
        """Remove a file or a link, if it is there.

        Raises:
            TreeNotWritable: It cannot be removed.
        """
        with writing(self.path_of(name)):
            try:
                os.unlink(name, dir_fd=self.descriptor)
            except FileNotFoundError:
                return

    def remove_directory(self, name: str) -> None:
        """Remove a directory, if there is one and nothing is in it."""
        with suppress(OSError):
            os.rmdir(name, dir_fd=self.descriptor)

    def has(self, name: str) -> bool:
        """Tell whether there is anything of this name, be it a lost link."""
        try:
            os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def read_link(self, name: str) -> str | None:
        """Read where a link points to; None if there is no such link."""
        try:
            return os.readlink(name, dir_fd=self.descriptor)
        except OSError:
            return None

    def list_names(self) -> list[str]:
        """Name all that lies in it."""
        return os.listdir(self.descriptor)

    def sync(self) -> None:
        """Bring its names to the disk."""
        os.fsync(self.descriptor)

    def _foreign(self, name: str) -> TreeNotWritable:
        return TreeNotWritable(
            f"{self.path_of(name)} is no plain file of its own, but a link, a pipe or the like, "
            "or a file that has another name, too: remove it"
        )


class Directories:
    """The directories of one tree, by their paths below its root.

    Args:
        root: The tree's root, which exists.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    @contextmanager
    def open(self, path: str) -> Iterator[Directory]:
        """Open a directory, to change what lies in it.

        Args:
            path: Its path below the root; empty for the root itself.

        Raises:
            FileNotFoundError: There is none.
            TreeNotWritable: It cannot be opened, or lies elsewhere.
        """
        whole_path = os.path.join(self._root, path) if path else self._root
        with opened(self._root) as root, opened(whole_path) as descriptor:
            place = os.path.relpath(_real_path(descriptor), _real_path(root))
            if not _is_allowed(path, place):
                raise TreeNotWritable(_say_where(path, whole_path, _real_path(descriptor)))
            yield Directory(descriptor, whole_path)

    def make(self, path: str) -> None:
        """Make a directory and those above it, as far as they are not there.

        Raises:
            TreeNotWritable: One cannot be made, or lies elsewhere.
        """
        for level in levels(path):
            above, name = os.path.split(level)
            with self.open(above) as directory:
                directory.make_directory(name)
            self.check(level)

    def check(self, path: str) -> None:
        """Make sure that there is a directory in which names can be changed.

        Raises:
            TreeNotWritable: There is none, or it lies elsewhere.
        """
        try:
            with self.open(path):
                return
        except FileNotFoundError:
            raise TreeNotWritable(
                f"{os.path.join(self._root, path)} leads to no directory: remove it"
            ) from None


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Open a directory wherever it is; raises as ``Directories.open`` does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _explain(path, error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Say of an error of the operating system what could not be written, and the mend."""
    try:
        yield
    except OSError as error:
        raise _explain(path, error) from None


def _explain(path: str, error: OSError) -> TreeNotWritable:
    fix = _MENDS.get(error.errno or 0, "look at the disk and at the system's log")
    return TreeNotWritable(f"cannot write {path}: {error.strerror}; {fix}")


def _real_path(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _is_allowed(path: str, place: str) -> bool:
    """Tell whether what is at a path may be changed where it really is.

    Args:
        path: The path below the root, links in it as they are.
        place: Where that leads, as a path from the root, without links.
    """
    top = place.split("/", 1)[0]
    if PRIVATE in (path.split("/", 1)[0], top):
        return place == path
    return top != os.pardir


def _say_where(path: str, whole_path: str, real_path: str) -> str:
    if path.split("/", 1)[0] == PRIVATE:
        return f"{whole_path} is a link, or below one, and leads to {real_path}: remove the link"
    return (
        f"{whole_path} leads out of the tree, to {real_path}: "
        "put the content in its place, or fill another directory"
    )
