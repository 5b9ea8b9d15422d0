"""Reads files of a node, whose root directory may be mounted elsewhere.

The files are not trusted: links are followed within the node's root directory, only regular files
are opened, and the bytes read are limited.
"""

import os
import stat

import attrs

from minreg.prefix import resolve_below
from minreg.text import format_size

MAX_FILE_BYTES = 1 << 20
"""The most bytes that are read of a file; one more is read to show that it is longer."""

MAX_TOTAL_BYTES = 64 << 20
"""The most bytes that are read of all files of a node."""

CLOSED = "this user may not read it"
"""The reason why a path could not be read, where root could read it."""

_MAX_ENTRIES = 100_000


@attrs.frozen
class NodeFile:
    """A file of the node: its path there, its content, and when it was last modified.

    ``modified`` is in seconds since the epoch.
    """

    path: str
    content: bytes
    modified: float

    @property
    def text(self) -> str:
        """The content as text, with replacement characters for what is not UTF-8."""
        return self.content.decode("utf-8", "replace")


@attrs.define
class NodeFiles:
    """The files of a node.

    ``prefix`` is the directory that stands for the node's root. ``unread`` has the reason for
    each path of the node that exists and could not be read.
    """

    prefix: str = "/"
    unread: dict[str, str] = attrs.field(factory=dict)
    _total_bytes: int = 0

    @property
    def is_live(self) -> bool:
        """Whether these are the files of the running system."""
        return os.path.realpath(self.prefix) == "/"

    def read(self, path: str) -> NodeFile | None:
        """Read a regular file.

        Returns:
            None if it does not exist, or cannot be read; ``unread`` then has the reason.
        """
        try:
            resolved = self.resolve(path)
            if not stat.S_ISREG(os.lstat(resolved).st_mode):
                self.unread[path] = "it is not a regular file"
                return None
            if self._total_bytes > MAX_TOTAL_BYTES:
                total = format_size(MAX_TOTAL_BYTES)
                self.unread[path] = f"{total} of other files were read before it"
                return None
            file = _read(path, resolved)
            self._total_bytes += len(file.content)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.unread[path] = _reason(error)
            return None
        else:
            return file

    def names(self, path: str) -> list[str]:
        """List the entries of a directory, sorted; empty if there is no such directory."""
        names = []
        try:
            with os.scandir(self.resolve(path)) as entries:
                for entry in entries:
                    names.append(entry.name)
                    if len(names) == _MAX_ENTRIES:
                        self.unread[path] = f"it has more than {_MAX_ENTRIES} entries"
                        break
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self.unread[path] = _reason(error)
        return sorted(names)

    def status(self, path: str) -> os.stat_result | None:
        """Return the status of a file, with links followed.

        Returns:
            None if it does not exist, or cannot be read; ``unread`` then has the reason.
        """
        try:
            return os.lstat(self.resolve(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.unread[path] = _reason(error)
            return None

    def is_directory(self, path: str) -> bool:
        """Return whether a path is a directory."""
        status = self.status(path)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def is_file(self, path: str) -> bool:
        """Return whether a path is a regular file."""
        status = self.status(path)
        return status is not None and stat.S_ISREG(status.st_mode)

    def link(self, path: str) -> str | None:
        """Return the target of a symbolic link, which need not exist; None if it is no link."""
        parent, name = os.path.split(path)
        try:
            return os.readlink(os.path.join(self.resolve(parent), name))
        except OSError:
            return None

    def resolve(self, path: str) -> str:
        """Return where a path of the node is on this machine, with all links followed.

        Raises:
            OSError: There are too many links, a link cannot be read, or no file can have this
                name.
        """
        return resolve_below(self.prefix, path)

    def as_on_node(self, text: str) -> str:
        """Remove the prefix from the paths in a text, so that it is about the node's paths."""
        return text if self.is_live else text.replace(os.path.abspath(self.prefix), "")


def _read(path: str, resolved: str) -> NodeFile:
    # If the file has been replaced by a FIFO, open(2) must not wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(resolved, flags)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        return NodeFile(path, file.read(MAX_FILE_BYTES + 1), status.st_mtime)


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return CLOSED
    return error.strerror or str(error)
