"""Opens an image archive: a tar file, standard input, or a directory with its files."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import attrs

from minreg.fill.archives.compression import Readable, open_decompressed
from minreg.fill.archives.contents import DOCKER_DOCUMENT, INDEX
from minreg.fill.archives.members import (
    FileMember,
    LinkMember,
    Member,
    normalize_path,
    resolve_symbolic_link,
)
from minreg.fill.archives.tar import read_tar
from minreg.fill.errors import ArchiveInvalid

STANDARD_INPUT = "-"

_PART = re.compile(r"(.*\.tar(?:\.\w+)?\.)([0-9]{3})()|(.*_)([0-9]+)(\.tar(?:\.\w+)?)", re.DOTALL)
"""The names of the parts that Hauler writes (``store save --chunk-size``): ``a.tar.zst.001``; in
older versions ``a_0.tar.zst``."""

ProgressCallback = Callable[[int], None]
"""Called with the number of bytes that were read since the last call."""


def ignore_progress(size: int) -> None:
    """Ignore a report of ``size`` more bytes."""


@contextmanager
def open_members(
    source: str, standard_input: Readable, advance: ProgressCallback = ignore_progress
) -> Iterator[Iterator[Member]]:
    """Open an archive, and give an iterator over its members that can be used once.

    Args:
        source: The path of a file or directory, or ``-`` for standard input.
        standard_input: The stream to read for ``-``.
        advance: Called with the number of bytes that were read of the source.

    Raises:
        ArchiveInvalid: The source does not exist or cannot be read. Iterating over the
            members raises it for what is wrong with them.
    """
    try:
        if source == STANDARD_INPUT:
            yield read_tar(open_decompressed(_CountedStream(standard_input, advance)))
        elif os.path.isdir(source):
            _check_directory(source)
            yield (_count_content(member, advance) for member in read_directory(source))
        else:
            with open(source, "rb", buffering=0) as file:
                yield read_tar(open_decompressed(_CountedStream(file, advance)))
    except OSError as error:
        path = error.filename or source
        raise ArchiveInvalid(f"cannot read {path}: {error.strerror}") from None


def measure_source(source: str) -> int | None:
    """Return the size of an archive in bytes; None for a directory, a pipe or nothing."""
    try:
        status = os.stat(source)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def describe_part(source: str) -> str:
    """Return what to do with a file that is one of the parts of an archive.

    Args:
        source: The path of a file that could not be imported.

    Returns:
        A sentence; empty if the file has no number in its name, or there is no next part.
    """
    match = _PART.fullmatch(source)
    if match is None:
        return ""
    start, number, end = match.groups()[:3] if match[2] else match.groups()[3:]
    others = (f"{start}{int(number) + step:0{len(number)}}{end}" for step in (1, -1))
    if not any(map(os.path.isfile, others)):
        return ""
    parts = f"{start}{'?' * len(number)}{end}"
    return f"this is one part of an archive; join all: cat {parts} | minreg import -"


def read_directory(root: str) -> Iterator[Member]:
    """Yield the files and links below a directory, sorted by name in each directory.

    Raises:
        ArchiveInvalid: There is something other than files, directories and links, a link
            leads out of ``root``, or a path is longer than in any archive.
    """
    pending = [_scan(root, "")]
    while pending:
        path, entry = next(pending[-1], ("", None))
        if entry is None:
            pending.pop()
        elif entry.is_symlink():
            yield LinkMember(path, resolve_symbolic_link(path, os.readlink(entry.path)))
        elif entry.is_dir():
            pending.append(_scan(root, path))
        elif entry.is_file():
            yield from _read_file(path, entry.path)
        else:
            raise ArchiveInvalid(f"{path!r} is neither a file, a directory nor a link; remove it")


def _scan(root: str, parent: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the entries of a directory, sorted by name, each with its path below ``root``."""
    with os.scandir(os.path.join(root, parent)) as scanned:
        entries = sorted(scanned, key=lambda entry: entry.name)
    for entry in entries:
        yield normalize_path(os.path.join(parent, entry.name)), entry


def _read_file(path: str, file_path: str) -> Iterator[Member]:
    # O_NOFOLLOW: the file may have been replaced by a link since the directory was read.
    descriptor = os.open(file_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        yield FileMember(path, os.fstat(descriptor).st_size, file)


def _check_directory(path: str) -> None:
    """Refuse a directory that is no image archive before all of it is read."""
    if _has_document(path):
        return
    below = [name for name in sorted(os.listdir(path)) if _has_document(os.path.join(path, name))]
    if below:
        raise ArchiveInvalid(
            f"the image archive is in its directory {below[0]!r}; import that directory"
        )
    raise ArchiveInvalid(
        "the directory has neither an index.json nor a manifest.json, so it is no image "
        "archive; name the archives in it"
    )


def _has_document(path: str) -> bool:
    return any(os.path.exists(os.path.join(path, name)) for name in (INDEX, DOCKER_DOCUMENT))


class _CountedStream:
    """A stream that reports how many bytes were read of it."""

    def __init__(self, stream: Readable, advance: ProgressCallback) -> None:
        self._stream = stream
        self._advance = advance

    def read(self, size: int, /) -> bytes:
        content = self._stream.read(size)
        self._advance(len(content))
        return content


def _count_content(member: Member, advance: ProgressCallback) -> Member:
    if isinstance(member, LinkMember):
        return member
    return attrs.evolve(member, content=_CountedStream(member.content, advance))
