"""Files and links that ``minreg node install`` writes on a node.

The first line of each file has a digest of the text below it. While they agree, minreg may replace
or remove the file; a file that was changed by hand is not touched.
"""

import difflib
import hashlib
import os
import stat
from contextlib import suppress
from enum import Enum

import attrs

from minreg.atomic import write_file_atomically
from minreg.prefix import resolve_below

_STAMP = "# Installed by minreg node install, which leaves it alone once it is changed. sha256:"


class FileState(Enum):
    """How a file on the node compares with the one that minreg would write."""

    ABSENT = "absent"
    CURRENT = "current"
    OUTDATED = "outdated"
    """An earlier run wrote it, and it was not changed since."""
    CHANGED = "changed"
    """It was changed or written by hand."""


@attrs.frozen
class ManagedFile:
    """A file that minreg writes: its path on the node, and its text."""

    path: str
    text: str

    @property
    def stamped(self) -> str:
        """The text below a line with its digest."""
        return f"{_STAMP}{_digest(self.text)}\n{self.text}"

    def locate(self, destination: str) -> str:
        """Return the path on this machine.

        Args:
            destination: The directory that stands for the node's root.
        """
        return resolve_below(destination, self.path)

    def compare(self, destination: str) -> FileState:
        """Compare it with the file on the node.

        Args:
            destination: The directory that stands for the node's root.

        Raises:
            OSError: The file cannot be read.
        """
        text = read_file(destination, self.path)
        if text is None:
            return FileState.ABSENT
        if text in (self.stamped, self.text):
            return FileState.CURRENT
        return FileState.OUTDATED if _matches_stamp(text) else FileState.CHANGED

    def is_removable(self, destination: str) -> bool:
        """Return whether the file on the node was written by minreg, and not changed since."""
        text = read_file(destination, self.path)
        return text is not None and _matches_stamp(text)

    def difference(self, destination: str) -> str:
        """Return what minreg would change in the file on the node, as a unified diff."""
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
    """A symbolic link, such as ``systemctl enable`` makes.

    ``former`` are targets that earlier runs gave it.
    """

    path: str
    target: str
    former: tuple[str, ...] = ()

    def is_current(self, destination: str) -> bool:
        """Return whether the link exists and has this target."""
        return self._read(destination) == self.target

    def is_outdated(self, destination: str) -> bool:
        """Return whether the link exists, and has a target of an earlier run."""
        return self._read(destination) in self.former

    def is_absent(self, destination: str) -> bool:
        """Return whether nothing has the path of the link."""
        return not os.path.lexists(self.locate(destination))

    def locate(self, destination: str) -> str:
        """Return the path of the link itself on this machine."""
        directory, name = os.path.split(self.path)
        return os.path.join(resolve_below(destination, directory), name)

    def _read(self, destination: str) -> str | None:
        with suppress(OSError):
            return os.readlink(self.locate(destination))
        return None


def read_file(destination: str, path: str) -> str | None:
    """Read a file of the node as text; None if it does not exist."""
    content = read_bytes(destination, path)
    if content is None:
        return None
    text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_bytes(destination: str, path: str) -> bytes | None:
    """Read a file of the node; None if it does not exist."""
    with suppress(FileNotFoundError, NotADirectoryError):
        with open(resolve_below(destination, path), "rb") as file:
            return file.read()
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _matches_stamp(content: str) -> bool:
    first_line, _, text = content.partition("\n")
    return first_line.startswith(_STAMP) and first_line.removeprefix(_STAMP) == _digest(text)


def _without_stamp(content: str) -> str:
    return content.partition("\n")[2] if content.startswith(_STAMP) else content


def write_file(path: str, text: str, mode: int = 0o644) -> None:
    """Write a file atomically, in UTF-8, and replace an existing one.

    Args:
        path: The file. A link is replaced, not followed.
        text: The text. Its line ends are written unchanged.
        mode: The permissions. An existing file is not given more than it has.

    Raises:
        OSError: The file cannot be written. An existing one is unchanged.
    """
    content = text.encode()
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with suppress(FileNotFoundError):
        mode &= os.stat(path).st_mode
    write_file_atomically(path, content, temporary=f"{path}.minreg-new", mode=stat.S_IMODE(mode))
