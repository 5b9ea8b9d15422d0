"""Reads files of a node, which may lie below a directory that stands for its root.

Nobody vouches for what lies there: links are followed as the node itself would follow them and
never lead out of the directory, only plain files are opened, and no more is read than anybody
writes by hand.
"""

import os
import stat
from collections import deque

import attrs

from minreg.text import format_size

MOST_BYTES = 1 << 20
"""How much is read of a file, and one byte more to show that there is more."""

MOST_TOGETHER = 64 << 20
"""How many bytes are read of all files of a node."""

CLOSED = "this user may not read it"
"""Why something could not be read, where root could."""

_MOST_LINKS = 40
_MOST_NAMES = 100_000


@attrs.frozen
class NodeFile:
    """A file of the node: its path there, what it holds, and when it was changed.

    ``modified`` is in seconds since the epoch.
    """

    path: str
    content: bytes
    modified: float

    @property
    def text(self) -> str:
        """What it holds, as text; what is no UTF-8 shows as such."""
        return self.content.decode("utf-8", "replace")


@attrs.define
class NodeFiles:
    """The files of a node.

    ``prefix`` is the directory that stands for the node's root. ``unread`` tells of everything
    that is there and could not be read, by its path on the node.
    """

    prefix: str = "/"
    unread: dict[str, str] = attrs.field(factory=dict)
    _size: int = 0

    @property
    def is_live(self) -> bool:
        """Whether these are the files of the running system."""
        return os.path.realpath(self.prefix) == "/"

    def read(self, path: str) -> NodeFile | None:
        """Read a plain file.

        Returns:
            None if it is not there, or cannot be read, which then is noted.
        """
        try:
            place = self.locate(path)
            if not stat.S_ISREG(os.lstat(place).st_mode):
                self.unread[path] = "it is no plain file"
                return None
            if self._size > MOST_TOGETHER:
                self.unread[path] = f"more than {format_size(MOST_TOGETHER)} were read before it"
                return None
            file = _read(path, place)
            self._size += len(file.content)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.unread[path] = _reason(error)
            return None
        else:
            return file

    def names(self, path: str) -> list[str]:
        """Name what lies in a directory, in order; nothing if there is no such directory."""
        names = []
        try:
            with os.scandir(self.locate(path)) as entries:
                for entry in entries:
                    names.append(entry.name)
                    if len(names) == _MOST_NAMES:
                        self.unread[path] = f"it holds more than {_MOST_NAMES} entries"
                        break
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self.unread[path] = _reason(error)
        return sorted(names)

    def status(self, path: str) -> os.stat_result | None:
        """Look at what is at a path, links followed; None if nothing is, or nobody may look."""
        try:
            return os.lstat(self.locate(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.unread[path] = _reason(error)
            return None

    def is_directory(self, path: str) -> bool:
        """Tell whether there is a directory."""
        status = self.status(path)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def is_file(self, path: str) -> bool:
        """Tell whether there is a plain file."""
        status = self.status(path)
        return status is not None and stat.S_ISREG(status.st_mode)

    def link(self, path: str) -> str | None:
        """Read where a link leads, which need not be there; None if there is no link."""
        parent, name = os.path.split(path)
        try:
            return os.readlink(os.path.join(self.locate(parent), name))
        except OSError:
            return None

    def locate(self, path: str) -> str:
        """Name the place of a path of the node, all links in it followed.

        Raises:
            OSError: Links lead in a circle, nobody may look, or no file can have this name.
        """
        _check_path(path)
        done: list[str] = []
        names = deque(path.split("/"))
        links = 0
        while names:
            name = names.popleft()
            if name in {"", "."}:
                continue
            if name == "..":
                done = done[:-1]
                continue
            place = os.path.join(self.prefix, *done, name)
            if not os.path.islink(place):
                done.append(name)
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(f"{path} is a link that leads in a circle")
            target = os.readlink(place)
            names.extendleft(reversed(target.split("/")))
            if target.startswith("/"):
                done = []
        return os.path.join(self.prefix, *done)

    def as_on_node(self, text: str) -> str:
        """Take the prefix off the paths in a text that came from elsewhere."""
        return text if self.is_live else text.replace(os.path.abspath(self.prefix), "")


def _check_path(path: str) -> None:
    try:
        is_name = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_name = False
    if not is_name:
        raise OSError("no file can be called that")


def _read(path: str, place: str) -> NodeFile:
    # Should it have become a fifo meanwhile, nobody waits for whoever writes into that.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(place, flags)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no plain file")
        return NodeFile(path, file.read(MOST_BYTES + 1), status.st_mtime)


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return CLOSED
    return error.strerror or str(error)
