"""Tar archives, read as a stream.

Unlike ``tarfile``, which takes a damaged header for the end, this ends where the archive
says that it ends, and never holds more than a block and one extension in memory.
"""

import tarfile
from collections.abc import Iterator

from minreg.fill.archives.compression import Readable
from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.members import File, Link, Member
from minreg.fill.archives.paths import clean_path, clean_symbolic_link
from minreg.fill.archives.tar_headers import (
    BLOCK,
    EXTENSIONS,
    FILES,
    LARGEST_EXTENSION,
    Header,
    extend,
    parse_extension,
    parse_header,
)

_CHUNK = 1024 * 1024
_LONGEST_FILLING = 64 * 1024 * 1024


def read_tar(stream: Readable) -> Iterator[Member]:
    """Read the members of a tar archive, and the stream to its end.

    Args:
        stream: The archive, decompressed.

    Raises:
        ArchiveInvalid: It is damaged, cut short, followed by something, or has members
            that have no place in an image archive.
    """
    for header in _read_headers(stream):
        path = clean_path(header.path)
        if header.kind in FILES:
            content = _Content(path, header.size, stream)
            yield File(path, header.size, content)
            content.skip()
        elif header.kind == tarfile.SYMTYPE:
            yield Link(path, clean_symbolic_link(path, header.target))
        elif header.kind == tarfile.LNKTYPE:
            yield Link(path, clean_path(header.target))
        elif header.kind != tarfile.DIRTYPE:
            raise ArchiveInvalid(
                f"{path!r} is neither a file, nor a directory, nor a link: "
                "no image archive has such a member, so it is not read"
            )
    _read_filling(stream)


def _read_headers(stream: Readable) -> Iterator[Header]:
    """Read the headers; whoever asks for the next has read the content of the last."""
    extensions: dict[str, str] = {}
    while (block := _read_block(stream)).strip(b"\0"):
        header = parse_header(block)
        if header.kind not in EXTENSIONS:
            yield extend(header, extensions)
            extensions = {}
            continue
        if header.size > LARGEST_EXTENSION:
            raise ArchiveInvalid(
                f"the header of a member takes {header.size} bytes: "
                "no image tool makes such an archive, so it is not read"
            )
        content = _Content("a header", header.size, stream)
        extensions.update(parse_extension(header, content.read_all()))


def _read_block(stream: Readable) -> bytes:
    block = b""
    while len(block) < BLOCK:
        more = stream.read(BLOCK - len(block))
        if not more:
            raise ArchiveInvalid("it is cut short, or no tar archive: copy it again")
        block += more
    return block


def _read_filling(stream: Readable) -> None:
    """Read the zeros behind the end, for the sender's sake and the decompressor's checks."""
    filling = 0
    while more := stream.read(_CHUNK):
        filling += len(more)
        if more.strip(b"\0") or filling > _LONGEST_FILLING:
            raise ArchiveInvalid(
                "something follows behind its end: give archives one by one, not joined"
            )


class _Content:
    """What a member holds, bounded, with the filling up to the next block behind it."""

    def __init__(self, path: str, size: int, stream: Readable) -> None:
        self._path = path
        self._stream = stream
        self._left = size
        self._filling = -size % BLOCK

    def read(self, size: int, /) -> bytes:
        wanted = min(size, self._left)
        if not wanted:
            self._read_filling()
            return b""
        content = self._stream.read(wanted)
        self._left -= len(content)
        if not content:
            raise self._cut_short()
        return content

    def read_all(self) -> bytes:
        return b"".join(iter(lambda: self.read(_CHUNK), b""))

    def skip(self) -> None:
        while self.read(_CHUNK):
            pass

    def _read_filling(self) -> None:
        while self._filling:
            filling = self._stream.read(self._filling)
            self._filling -= len(filling)
            if not filling:
                raise self._cut_short()

    def _cut_short(self) -> ArchiveInvalid:
        return ArchiveInvalid(f"it is cut short within {self._path!r}: copy the archive again")
