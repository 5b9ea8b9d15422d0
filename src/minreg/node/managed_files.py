"""Files and links that ``minreg node install`` writes on a node.

The first line of each file has a digest of the text below it. While they agree, minreg may replace
or remove the file; a file that was changed by hand is not touched.
"""

import difflib
import hashlib
import os
from contextlib import suppress
from enum import Enum

import attrs

from minreg.prefix import resolve_below

_STAMP = "# Installed by minreg node install, which leaves it alone once it is changed. sha256:"


class FileState(Enum):
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
        return resolve_below(destination, self.path)

    def compare(self, destination: str) -> FileState:
        """Look at what is there.

        Args:
            destination: The directory that stands for the node's root.

        Raises:
            OSError: It cannot be read.
        """
        there = read_file(destination, self.path)
        if there is None:
            return FileState.ABSENT
        if there in (self.stamped, self.text):
            return FileState.CURRENT
        return FileState.OUTDATED if _is_untouched(there) else FileState.CHANGED

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
        return os.path.join(resolve_below(destination, directory), name)

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
        with open(resolve_below(destination, path), "rb") as file:
            return file.read()
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _is_untouched(content: str) -> bool:
    first, _, text = content.partition("\n")
    return first.startswith(_STAMP) and first.removeprefix(_STAMP) == _digest(text)


def _without_stamp(content: str) -> str:
    return content.partition("\n")[2] if content.startswith(_STAMP) else content


def write_file(path: str, text: str, mode: int = 0o644) -> None:
    """Put a file in the place of the one that is there, if there is one.

    Args:
        path: The file; a link is replaced, not followed.
        text: What it is to hold; its line ends are kept.
        mode: Who may read it. What is there already is given no more rights than it has.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with suppress(FileNotFoundError):
        mode &= os.stat(path).st_mode
    new = f"{path}.minreg-new"
    with suppress(FileNotFoundError):
        os.unlink(new)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
