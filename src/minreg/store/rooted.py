"""Opens what lies in a directory, and nothing that lies elsewhere.

Links are followed, for trees are made of them, and then the place that they led to is
looked at: a file is opened as a mere location first (``O_PATH``), the kernel tells where
that is, and only then is that very file opened for reading. Nothing can be exchanged in
between, and neither a device nor a fifo is ever really opened. Linux only, with /proc.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO

import attrs

from minreg.store.interfaces import ContentInvalid, ContentUnreadable, StoreUnavailable

_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})
_DELETED = " (deleted)"


@attrs.frozen
class OpenedFile:
    """A regular file, open for reading; whoever gets it closes ``file``.

    ``path`` is where it really lies.
    """

    file: FileIO
    status: os.stat_result
    path: str

    @contextmanager
    def closed_on_failure(self) -> Iterator[None]:
        """Close the file unless all goes well, for a caller that will hand it on."""
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

    def check_file(self) -> None:
        if not stat.S_ISREG(self.status.st_mode):
            raise ContentInvalid(f"{self.path} is not a file: remove it")
        if self.status.st_size == 0:
            raise ContentInvalid(f"{self.path} is empty: copy it again")

    def reopen(self, flags: int) -> int:
        return os.open(f"/proc/self/fd/{self.descriptor}", flags | os.O_CLOEXEC)


class RootedDirectory:
    """A directory tree, and the few places outside of it that its links may lead to."""

    def __init__(self, root: str, allow_links_to: Sequence[str] = ()) -> None:
        self.root = root
        self._allowed = tuple(allow_links_to)

    def open_file(self, path: str) -> OpenedFile:
        """Open a regular file.

        Args:
            path: The path below the root, made of names that passed their grammar.

        Raises:
            FileNotFoundError: There is nothing.
            ContentBroken: There is something that must not, or cannot, be read.
            StoreUnavailable: The root is not there, or the disk does not answer.
        """
        with self._locate(path) as location:
            location.check_file()
            file = FileIO(location.reopen(os.O_RDONLY))
            return OpenedFile(file, os.fstat(file.fileno()), location.path)

    def measure(self, path: str) -> int:
        """Tell how many bytes a regular file has; raises as ``open_file`` does."""
        with self._locate(path) as location:
            location.check_file()
            return location.status.st_size

    @contextmanager
    def scan(self, path: str) -> Iterator[tuple[os.stat_result, Iterator[os.DirEntry[str]]]]:
        """Read a directory: its status before the reading, and its entries.

        Raises:
            As ``open_file``; a directory that is not there is a FileNotFoundError.
        """
        with self._locate(path, os.O_RDONLY | os.O_DIRECTORY) as location:
            with os.scandir(location.descriptor) as entries:
                yield location.status, entries

    def status(self, path: str) -> os.stat_result:
        """Look at a file or directory; raises as ``open_file`` does."""
        with self._locate(path) as location:
            return location.status

    def look(self, path: str) -> os.stat_result | None:
        """Look at whatever is at a path below the root, links followed, be it elsewhere."""
        try:
            return os.stat(os.path.join(self.root, path))
        except OSError:
            return None

    def is_directory(self, path: str) -> bool:
        """Tell whether there is a directory at a path below the root, links followed.

        Raises:
            ContentBroken: The link leads in a circle.
            ContentUnreadable: This user may not look.
            StoreUnavailable: The disk does not answer.
        """
        place = os.path.join(self.root, path)
        with suppress(FileNotFoundError), _faults_of(place):
            return stat.S_ISDIR(os.stat(place).st_mode)
        return False

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at a path below the root, be it a lost link."""
        return os.path.lexists(os.path.join(self.root, path))

    def read_link(self, path: str) -> str | None:
        """Read where a link below the root points to; None if it is not a link."""
        try:
            return os.readlink(os.path.join(self.root, path))
        except OSError:
            return None

    def check_root(self) -> None:
        """Make sure that the root is there.

        Raises:
            StoreUnavailable: It is not, or cannot be read.
        """
        root = self._open_root(os.O_RDONLY)
        try:
            # Who may list its names need not be allowed to get at what they name.
            os.stat(".", dir_fd=root)
        except OSError as error:
            raise self._fault_of_root(error) from None
        finally:
            os.close(root)

    def _open_root(self, flags: int) -> int:
        try:
            return os.open(self.root, flags | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._fault_of_root(error) from None

    def _fault_of_root(self, error: OSError) -> StoreUnavailable:
        if not isinstance(error, PermissionError):
            return StoreUnavailable(f"root {self.root}: {error.strerror}")
        return StoreUnavailable(
            f"root {self.root} cannot be read by this user: give it the right to "
            "(chmod -R a+rX), and to the directories above (chmod a+x)"
        )

    @contextmanager
    def _locate(self, path: str, flags: int = os.O_PATH) -> Iterator[_Location]:
        root = self._open_root(os.O_PATH)
        descriptor = -1
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC, dir_fd=root)
            status = os.fstat(descriptor)
            real_path = os.readlink(f"/proc/self/fd/{descriptor}")
            self._check_enclosed(path, real_path, os.readlink(f"/proc/self/fd/{root}"))
            # What was replaced or removed meanwhile is as good as it was just before.
            yield _Location(descriptor, status, real_path.removesuffix(_DELETED))
        except OSError as error:
            raise _fault(os.path.join(self.root, path), error) from None
        finally:
            os.close(root)
            if descriptor >= 0:
                os.close(descriptor)

    def _check_enclosed(self, path: str, real_path: str, real_root: str) -> None:
        if _is_within(real_path, real_root):
            return
        if any(_is_within(real_path, os.path.realpath(place)) for place in self._allowed):
            return
        raise ContentInvalid(
            f"{self._find_link(path, real_root)} leads out of the root, to {real_path}: "
            f"copy the content into the root, or give --allow-links-to "
            f"{os.path.dirname(real_path)}"
        )

    def _find_link(self, path: str, real_root: str) -> str:
        """Find the link that leads out, for whoever has to mend it."""
        place = self.root
        for name in path.split("/"):
            place = os.path.join(place, name)
            if os.path.islink(place) and not _is_within(os.path.realpath(place), real_root):
                break
        return place


def is_file(entry: os.DirEntry[str]) -> bool:
    """Tell whether a directory's entry is, or leads to, a file that this user may see."""
    with suppress(FileNotFoundError, ContentInvalid), _faults_of(entry.name):
        return entry.is_file()
    return False


def directory_status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Look at a directory's entry, if it is, or leads to, a directory that this user may see."""
    with suppress(FileNotFoundError, ContentInvalid), _faults_of(entry.name):
        if entry.is_dir():
            return entry.stat()
    return None


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


@contextmanager
def _faults_of(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _fault(path, error) from None


def _fault(path: str, error: OSError) -> Exception:
    """Sort the errors of the operating system: absent, to be mended, or the disk's."""
    if error.errno in _ABSENT:
        return FileNotFoundError(error.errno, error.strerror, path)
    if error.errno in (errno.EACCES, errno.EPERM):
        return ContentUnreadable(
            f"{path} cannot be read by this user: give it the right to (chmod a+rX)"
        )
    if error.errno == errno.ELOOP:
        return ContentInvalid(f"{path} is a link that leads in a circle: remove it")
    return StoreUnavailable(f"{path}: {error.strerror}")
