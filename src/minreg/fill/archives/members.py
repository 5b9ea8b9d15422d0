"""How members are called, and where links among them lead."""

import posixpath

import attrs

from minreg.fill.archives.compression import Readable
from minreg.fill.errors import ArchiveInvalid

_LONGEST = 1024
_MEND = "it was not made by an image tool, so it is not read"


def clean_path(path: str) -> str:
    """Spell a member's path in the one way that compares: ``./a//b`` is ``a/b``.

    Raises:
        ArchiveInvalid: It is absolute, leads upwards or is longer than any image tool
            makes it.
    """
    if len(path) > _LONGEST:
        raise ArchiveInvalid(f"{path[:60]!r}… has a path of {len(path)} characters: {_MEND}")
    if path.startswith("/"):
        raise ArchiveInvalid(f"{path!r} is an absolute path: {_MEND}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveInvalid(f"{path!r} leads out of the archive: {_MEND}")
    return "/".join(parts)


def clean_symbolic_link(path: str, target: str) -> str:
    """Find the member that a symbolic link points to.

    Args:
        path: The link's own path, clean.
        target: What is written in it, which counts from the link's directory.

    Raises:
        ArchiveInvalid: It leads out of the archive.
    """
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if joined.startswith(("/", "../")) or joined == "..":
        raise ArchiveInvalid(f"{path!r} is a link out of the archive, to {target!r}: {_MEND}")
    return clean_path(joined)


@attrs.frozen
class FileMember:
    """A file in an archive. It is read before the next member is asked for, or never.

    ``path`` is clean, ``size`` in bytes and what ``content`` will give.
    """

    path: str
    size: int
    content: Readable


@attrs.frozen
class LinkMember:
    """A second name for a file: ``target`` is the path of that, clean like ``path``."""

    path: str
    target: str


Member = FileMember | LinkMember
