"""Files on a node that minreg installs.

The first line of each contains the SHA-256 of the rest. A file that matches it is minreg's to
replace or remove. After a change it is the operator's.
"""

import difflib
import errno
import hashlib
import os
import stat
from contextlib import suppress
from enum import Enum

import attrs

from minreg.atomic import write_file_atomically

_STAMP = "# Installed by minreg node install, which leaves it alone once it is changed. sha256:"

_MOST_LINKS = 40
"""Links on the way to a file, as the kernel has it (path_resolution(7))."""


class State(Enum):
    """How a file that we would write stands to what is there."""

    ABSENT = "absent"
    CURRENT = "current"
    OUTDATED = "outdated"
    CHANGED = "changed"


@attrs.frozen
class ManagedFile:
    """A text that belongs at a path.

    ``path`` is that on the node.
    """

    path: str
    text: str

    @property
    def stamped(self) -> str:
        """The text behind the line that lets us know it again."""
        return f"{_STAMP}{_digest(self.text)}\n{self.text}"

    def locate(self, destination: str) -> str:
        """Find the place of the file."""
        return locate(destination, self.path)

    def compare(self, destination: str) -> State:
        """Look at what is there.

        Args:
            destination: The directory that stands for the node's root.

        Raises:
            OSError: It cannot be read.
        """
        there = read_file(destination, self.path)
        if there is None:
            return State.ABSENT
        if there in (self.stamped, self.text):
            return State.CURRENT
        return State.OUTDATED if _is_untouched(there) else State.CHANGED

    def is_ours(self, destination: str) -> bool:
        """Tell whether what is there is as some run of ours left it."""
        there = read_file(destination, self.path)
        return there is not None and _is_untouched(there)

    def difference(self, destination: str) -> str:
        """Show what would have to change in the file that is there, as ``diff -u`` does."""
        return "".join(
            difflib.unified_diff(
                _without_stamp(read_file(destination, self.path) or "").splitlines(keepends=True),
                self.text.splitlines(keepends=True),
                self.path,
                f"{self.path} (of minreg)",
            )
        )


@attrs.frozen
class UnitLink:
    """A symbolic link, such as one that ``systemctl enable`` makes.

    ``former`` are targets that earlier runs of ours gave it.
    """

    path: str
    target: str
    former: tuple[str, ...] = ()

    def is_there(self, destination: str) -> bool:
        """Return whether the link is as it should be."""
        return self._read(destination) == self.target

    def is_outdated(self, destination: str) -> bool:
        """Return whether the link is as an earlier run of ours made it."""
        return self._read(destination) in self.former

    def is_free(self, destination: str) -> bool:
        """Tell whether nothing is in its place."""
        return not os.path.lexists(self.locate(destination))

    def locate(self, destination: str) -> str:
        """Find the place of the link itself."""
        directory, name = os.path.split(self.path)
        return os.path.join(locate(destination, directory), name)

    def _read(self, destination: str) -> str | None:
        with suppress(OSError):
            return os.readlink(self.locate(destination))
        return None


def read_file(destination: str, path: str) -> str | None:
    """Read a file of the node as text, if it is there."""
    content = read_bytes(destination, path)
    if content is None:
        return None
    text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(destination: str, path: str) -> bytes | None:
    """Read a file of the node, if it is there."""
    with suppress(FileNotFoundError, NotADirectoryError):
        with open(locate(destination, path), "rb") as file:
            return file.read()
    return None


def locate(destination: str, path: str) -> str:
    """Find the place of a path of the node below the directory that stands for its root.

    Links lead to where they lead on the node: one to ``/data`` is one to that directory of
    the node, as for chroot(2).

    Raises:
        OSError: There are too many links on the way.
    """
    place, parts, links = "/", path.split("/")[::-1], 0
    while parts:
        place = os.path.normpath(os.path.join(place, parts.pop()))
        target = _target(os.path.join(destination, place[1:]))
        if target is None:
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(
                errno.ELOOP, os.strerror(errno.ELOOP), os.path.join(destination, path[1:])
            )
        place = os.path.dirname(place)
        parts += target.split("/")[::-1]
        if target.startswith("/"):
            place = "/"
    return os.path.join(destination, place[1:])


def _target(path: str) -> str | None:
    with suppress(OSError):
        return os.readlink(path)
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _is_untouched(content: str) -> bool:
    first, _, text = content.partition("\n")
    return first.startswith(_STAMP) and first.removeprefix(_STAMP) == _digest(text)


def _without_stamp(content: str) -> str:
    return content.partition("\n")[2] if content.startswith(_STAMP) else content


def write_file(path: str, text: str, mode: int = 0o644) -> None:
    """Create or replace a file, and its missing parent directories.

    Args:
        path: The file; a symbolic link is replaced, not followed.
        text: Its content; line ends are kept.
        mode: The permission bits. An existing file gets no more than it has.

    Raises:
        OSError: The file could not be written; the old one is unchanged.
    """
    content = text.encode()
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with suppress(FileNotFoundError):
        mode &= os.stat(path).st_mode
    write_file_atomically(path, content, temporary=f"{path}.minreg-new", mode=stat.S_IMODE(mode))
