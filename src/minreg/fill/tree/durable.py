"""Files and links that appear in a tree whole, or not at all, whenever the power fails.

Each is made under a name that nobody looks at, brought to the disk, and renamed; then the
directory is brought to the disk too, so that what was named later never outlives it.
"""

import errno
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from minreg.fill.tree.directories import Directory, opened, writing


class NewFiles:
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
