"""An image archive that was unpacked, or an OCI layout that never was packed."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

from minreg.fill.archives.compression import Readable, open_decompressed
from minreg.fill.archives.members import (
    FileMember,
    LinkMember,
    Member,
    clean_path,
    clean_symbolic_link,
)
from minreg.fill.archives.tar import read_tar
from minreg.fill.errors import ArchiveInvalid


def read_directory(root: str) -> Iterator[Member]:
    """Read what lies below a directory, in the order of the names.

    Raises:
        ArchiveInvalid: Something there is neither a file, nor a directory, nor a link, is
            a link that leads out of the directory, or lies deeper than in any archive.
    """
    unread = [_scan(root, "")]
    while unread:
        path, entry = next(unread[-1], ("", None))
        if entry is None:
            unread.pop()
        elif entry.is_symlink():
            yield LinkMember(path, clean_symbolic_link(path, os.readlink(entry.path)))
        elif entry.is_dir():
            unread.append(_scan(root, path))
        elif entry.is_file():
            yield from _read_file(path, entry.path)
        else:
            raise ArchiveInvalid(
                f"{path!r} is neither a file, nor a directory, nor a link: remove it"
            )


def _scan(root: str, above: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Go through a directory in the order of its names, the path of each with it."""
    with os.scandir(os.path.join(root, above)) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        yield clean_path(os.path.join(above, entry.name)), entry


def _read_file(path: str, place: str) -> Iterator[Member]:
    # Follows no link that was put there just now.
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        yield FileMember(path, os.fstat(descriptor).st_size, file)


STANDARD_INPUT = "-"

Advance = Callable[[int], None]
"""Is told how many more bytes were read."""


def ignore(size: int) -> None:
    """Do nothing about ``size`` bytes."""


@contextmanager
def open_members(
    source: str, standard_input: Readable, advance: Advance = ignore
) -> Iterator[Iterator[Member]]:
    """Open an archive, to be read once.

    Args:
        source: The path of a file or directory, or ``-``.
        standard_input: What ``-`` stands for.
        advance: Is told of bytes that were read of the source.

    Raises:
        ArchiveInvalid: It is not there or cannot be read. Reading the members raises it
            for what is wrong with them.
    """
    try:
        if source == STANDARD_INPUT:
            yield read_tar(open_decompressed(_Watched(standard_input, advance)))
        elif os.path.isdir(source):
            _check_directory(source)
            yield (_watch(member, advance) for member in read_directory(source))
        else:
            with open(source, "rb", buffering=0) as file:
                yield read_tar(open_decompressed(_Watched(file, advance)))
    except OSError as error:
        place = error.filename or source
        raise ArchiveInvalid(f"cannot read {place}: {error.strerror}") from None


def measure_source(source: str) -> int | None:
    """Tell how many bytes there are to read, if that is known before."""
    try:
        status = os.stat(source)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class _Watched:
    """A stream that tells how much was read of it."""

    def __init__(self, stream: Readable, advance: Advance) -> None:
        self._stream = stream
        self._advance = advance

    def read(self, size: int, /) -> bytes:
        content = self._stream.read(size)
        self._advance(len(content))
        return content


def _watch(member: Member, advance: Advance) -> Member:
    if isinstance(member, LinkMember):
        return member
    return attrs.evolve(member, content=_Watched(member.content, advance))


def _check_directory(path: str) -> None:
    """Refuse a directory of archives before all of it is read."""
    if not any(
        os.path.exists(os.path.join(path, name)) for name in ("index.json", "manifest.json")
    ):
        raise ArchiveInvalid(
            "it has neither an index.json nor a manifest.json, so it is no image archive: "
            "name the archives that lie in it"
        )
