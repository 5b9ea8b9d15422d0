"""The members of an archive: their paths, and the targets of links among them."""

import posixpath

import attrs

from minreg.fill.archives.compression import Readable
from minreg.fill.errors import ArchiveInvalid

_MAX_PATH = 1024
_REFUSED = "no image tool writes such an archive, so it is refused"


class MemberRefused(ArchiveInvalid):
    """A member does not belong in an image archive; ``path`` is its path."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path!r} {problem}; {_REFUSED}")
        self.path = path


def normalize_path(path: str) -> str:
    """Return a member's path in its one canonical form: ``./a//b`` is ``a/b``.

    Raises:
        ArchiveInvalid: The path is absolute, contains ``..`` or is longer than any image tool
            makes it.
    """
    if len(path) > _MAX_PATH:
        raise ArchiveInvalid(f"{path[:60]!r}… has a path of {len(path)} characters; {_REFUSED}")
    if path.startswith("/"):
        raise ArchiveInvalid(f"{path!r} is an absolute path; {_REFUSED}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveInvalid(f"{path!r} leads out of the archive; {_REFUSED}")
    return "/".join(parts)


def resolve_symbolic_link(path: str, target: str) -> str:
    """Return the path of the member that a symbolic link points to.

    Args:
        path: The link's own path, normalized.
        target: The text of the link, relative to the link's directory.

    Raises:
        MemberRefused: The link leads out of the archive.
    """
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if joined.startswith(("/", "../")) or joined == "..":
        raise MemberRefused(path, f"is a link out of the archive, to {target!r}")
    return normalize_path(joined)


@attrs.frozen
class FileMember:
    """A file in an archive.

    Its content can only be read until the next member is requested. ``path`` is normalized,
    ``size`` is the length of ``content`` in bytes.
    """

    path: str
    size: int
    content: Readable


@attrs.frozen
class LinkMember:
    """A symbolic or hard link; ``path`` and ``target`` are normalized paths of members."""

    path: str
    target: str


Member = FileMember | LinkMember
