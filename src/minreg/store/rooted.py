"""Opening files below a root directory, and none outside of it.

Trees consist of symbolic links, so links are followed, and the place that they lead to is
checked. To check first and open afterwards would be a race: a link may be replaced in between.
So a file is first opened with ``O_PATH``, which gives a descriptor of the file without access to
its content. ``/proc/self/fd`` tells the real path of that descriptor. Only if it is below the
root is the same file opened for reading, by way of the descriptor. Devices and fifos are
refused before they are really opened, which could have effects or wait. Source: open(2),
proc_pid_fd(5); Linux only.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO

import attrs

from minreg.oci.names import EMPTY_BLOBS
from minreg.store.interfaces import ContentInvalid, ContentUnreadable, StoreUnavailable

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
_DELETED = " (deleted)"
_KERNEL_DIRECTORIES = ("/proc", "/sys")


@attrs.frozen
class OpenedFile:
    """A regular file that is open for reading. The caller closes ``file``.

    Attributes:
        file: The file, at its beginning.
        status: Its status.
        path: Its real path, with all links resolved.
    """

    file: FileIO
    status: os.stat_result
    path: str

    @contextmanager
    def closed_on_failure(self) -> Iterator[None]:
        """Close the file if an exception is raised."""
        try:
            yield
        except BaseException:
            self.file.close()
            raise


@attrs.frozen
class _Location:
    descriptor: int
    status: os.stat_result
    path: str

    def check_file(self, path: str) -> None:
        """Check that it is a file that was copied; ``path`` is the one that it was opened by."""
        if not stat.S_ISREG(self.status.st_mode):
            raise ContentInvalid(f"{self.path} is not a file: remove it")
        if self.status.st_size == 0 and os.path.basename(path) not in EMPTY_BLOBS:
            raise ContentInvalid(f"{self.path} is empty: copy it again")

    def reopen(self, flags: int) -> int:
        return os.open(f"/proc/self/fd/{self.descriptor}", flags | os.O_CLOEXEC)


class RootedDirectory:
    """A directory tree.

    Args:
        root: The root directory.
        allow_links_to: Directories outside of the root that symbolic links may point to.
    """

    def __init__(self, root: str, allow_links_to: Sequence[str] = ()) -> None:
        self.root = root
        self._allowed = tuple(allow_links_to)

    def open_file(self, path: str) -> OpenedFile:
        """Open a regular file.

        Args:
            path: The path below the root, made of names that match their grammar.

        Raises:
            FileNotFoundError: It does not exist.
            ContentInvalid: It is outside of the root, not a file, empty, or cannot be read.
            StoreUnavailable: The root does not exist, or the disk returns an error.
        """
        with self._locate(path) as location:
            location.check_file(path)
            file = FileIO(location.reopen(os.O_RDONLY))
            return OpenedFile(file, os.fstat(file.fileno()), location.path)

    def measure(self, path: str) -> int:
        """Return the size of a regular file, in bytes; raises as ``open_file`` does."""
        with self._locate(path) as location:
            location.check_file(path)
            return location.status.st_size

    @contextmanager
    def scan(self, path: str) -> Iterator[tuple[os.stat_result, Iterator[os.DirEntry[str]]]]:
        """Return the status of a directory before it is read, and its entries.

        It raises as ``open_file`` does.
        """
        with self._locate(path, os.O_RDONLY | os.O_DIRECTORY) as location:
            with os.scandir(location.descriptor) as entries:
                yield location.status, entries

    def checked_stat(self, path: str) -> os.stat_result:
        """Return the status of a file or directory; raises as ``open_file`` does."""
        with self._locate(path) as location:
            return location.status

    def stat(self, path: str) -> os.stat_result | None:
        """Return the status of a path, links followed; None if it does not exist.

        The target of a link may be outside of the root: nothing of it is read.
        """
        try:
            return os.stat(os.path.join(self.root, path))
        except OSError:
            return None

    def is_directory(self, path: str) -> bool:
        """Return whether a path is a directory, links followed.

        Raises:
            ContentInvalid: It is a link that leads back to itself.
            ContentUnreadable: This user has no permission to look it up.
            StoreUnavailable: The disk returns an error.
        """
        full_path = os.path.join(self.root, path)
        with suppress(FileNotFoundError), _translated_errors(full_path):
            return stat.S_ISDIR(os.stat(full_path).st_mode)
        return False

    def exists(self, path: str) -> bool:
        """Return whether a path exists. A symbolic link without a target does."""
        return os.path.lexists(os.path.join(self.root, path))

    def read_link(self, path: str) -> str | None:
        """Return the target of a link as it is written; None if the path is not a link."""
        try:
            return os.readlink(os.path.join(self.root, path))
        except OSError:
            return None

    def check_root(self) -> None:
        """Check that the root can be read.

        Raises:
            StoreUnavailable: It does not exist, or cannot be read.
        """
        root = self._open_root(os.O_RDONLY)
        try:
            # The permission to read a directory's names does not include that to use them.
            os.stat(".", dir_fd=root)
        except OSError as error:
            raise self._root_error(error) from None
        finally:
            os.close(root)

    def _open_root(self, flags: int) -> int:
        try:
            return os.open(self.root, flags | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._root_error(error) from None

    def _root_error(self, error: OSError) -> StoreUnavailable:
        if not isinstance(error, PermissionError):
            return StoreUnavailable(f"root {self.root}: {error.strerror}")
        return StoreUnavailable(
            f"root {self.root} cannot be read by this user: give it permission "
            "(chmod -R a+rX), also for the directories above (chmod a+x)"
        )

    @contextmanager
    def _locate(self, path: str, flags: int = os.O_PATH) -> Iterator[_Location]:
        root = self._open_root(os.O_PATH)
        descriptor = -1
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC, dir_fd=root)
            status = os.fstat(descriptor)
            real_path = os.readlink(f"/proc/self/fd/{descriptor}")
            self._check_within_root(path, real_path, os.readlink(f"/proc/self/fd/{root}"))
            # A file that was replaced or removed in the meantime is sent as it was before.
            yield _Location(descriptor, status, real_path.removesuffix(_DELETED))
        except OSError as error:
            raise _translate(os.path.join(self.root, path), error) from None
        finally:
            os.close(root)
            if descriptor >= 0:
                os.close(descriptor)

    def _check_within_root(self, path: str, real_path: str, real_root: str) -> None:
        if _is_within(real_path, real_root):
            return
        if any(_is_within(real_path, os.path.realpath(allowed)) for allowed in self._allowed):
            return
        directory = os.path.dirname(real_path)
        fix = f"copy the content into the root, or give --allow-links-to {directory}"
        if not real_path.startswith("/") or any(
            _is_within(real_path, directory) for directory in _KERNEL_DIRECTORIES
        ):
            # A pipe or socket has no path, and files of the kernel are no content.
            fix = "remove the link, and copy the content into the root"
        raise ContentInvalid(
            f"{self._find_link(path, real_root)} leads out of the root, to {real_path}: {fix}"
        )

    def _find_link(self, path: str, real_root: str) -> str:
        """Return the path of the link that leads out of the root, for the error message."""
        full_path = self.root
        for name in path.split("/"):
            full_path = os.path.join(full_path, name)
            if os.path.islink(full_path) and not _is_within(
                os.path.realpath(full_path), real_root
            ):
                break
        return full_path


def is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether a directory's entry is, or links to, a file that this user can access."""
    with suppress(FileNotFoundError, ContentInvalid), _translated_errors(entry.name):
        return entry.is_file()
    return False


def directory_status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of an entry that is, or links to, an accessible directory; else None."""
    with suppress(FileNotFoundError, ContentInvalid), _translated_errors(entry.name):
        if entry.is_dir():
            return entry.stat()
    return None


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


@contextmanager
def _translated_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _translate(path, error) from None


def _translate(path: str, error: OSError) -> Exception:
    """Return the exception of the store for an error of the operating system.

    It tells a missing file (nothing is wrong) from one that its owner has to correct
    (``ContentInvalid``) and from a failure of the disk (``StoreUnavailable``).
    """
    if error.errno in _ABSENT:
        return FileNotFoundError(error.errno, error.strerror, path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return ContentUnreadable(
            f"{path} cannot be read by this user: give it permission (chmod a+rX)"
        )
    if error.errno == errno.ELOOP:
        return ContentInvalid(f"{path} is a link that leads back to itself: remove it")
    return StoreUnavailable(f"{path}: {error.strerror}")
