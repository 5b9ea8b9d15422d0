"""The headers of tar archives, one by one.

Only what image archives use is read. Sizes are bounded before anything is read, since
the archive may come from anyone. Source: POSIX.1-2017, pax, "ustar Interchange Format"
and "pax Header Block"; GNU tar, "Basic Tar Format".
"""

import tarfile
from collections.abc import Iterator, Mapping

import attrs

from minreg.fill.archives.compression import Readable
from minreg.fill.archives.members import (
    FileMember,
    LinkMember,
    Member,
    clean_path,
    clean_symbolic_link,
)
from minreg.fill.errors import ArchiveInvalid

BLOCK = 512
"""Bytes that headers have, and that contents are filled up to."""

LARGEST_EXTENSION = 64 * 1024
"""Bytes. An extension holds a path, a link and a few times."""

FILES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
EXTENSIONS = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


@attrs.frozen
class Header:
    """What the header of a member says; ``size`` in bytes."""

    kind: bytes
    path: str
    target: str
    size: int


def parse_header(block: bytes) -> Header:
    """Read a header.

    Args:
        block: Its 512 bytes.

    Raises:
        ArchiveInvalid: Its checksum is wrong, or it makes no sense.
    """
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "backslashreplace")
    except tarfile.HeaderError:
        raise ArchiveInvalid(
            "it is no tar archive, or damaged: give an image archive, or copy it again"
        ) from None
    if member.size < 0:
        raise ArchiveInvalid(f"{member.name!r} has a negative size: copy the archive again")
    return Header(member.type, member.name, member.linkname, member.size)


def parse_extension(header: Header, content: bytes) -> Mapping[str, str]:
    """Read what stands before a header because it has no room there.

    Args:
        header: The extension's own header, of one of ``EXTENSIONS``.
        content: What follows that header.

    Returns:
        What overrides the next header, under the keywords of pax.
    """
    if header.kind == tarfile.XGLTYPE:
        # Holds for all members, so no path, link or size stands in it.
        return {}
    if header.kind == tarfile.GNUTYPE_LONGNAME:
        return {"path": _text(content)}
    if header.kind == tarfile.GNUTYPE_LONGLINK:
        return {"linkpath": _text(content)}
    return _parse_records(content)


def extend(header: Header, extensions: Mapping[str, str]) -> Header:
    """Apply what extensions say of a header.

    Raises:
        ArchiveInvalid: They say what no image tool writes.
    """
    path = extensions.get("path", header.path)
    if any(keyword.startswith("GNU.sparse.") for keyword in extensions):
        raise ArchiveInvalid(f"{path!r} is stored as a sparse file: pack it without --sparse")
    size = extensions.get("size", str(header.size))
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise ArchiveInvalid(f"{path!r} has {size[:40]!r} for a size: copy the archive again")
    return Header(header.kind, path, extensions.get("linkpath", header.target), int(size))


def _parse_records(content: bytes) -> Mapping[str, str]:
    """Read records: each has its own length in front, a keyword, ``=``, and a value."""
    records = {}
    while content.strip(b"\0"):
        digits, _, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 6 else 0
        record, content = content[:length], content[length:]
        keyword, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if len(record) != length or not equals or not record.endswith(b"\n"):
            raise ArchiveInvalid("one of its pax headers is damaged: copy the archive again")
        records[_text(keyword)] = _text(value)
    return records


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode("utf-8", "backslashreplace")


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
            yield FileMember(path, header.size, content)
            content.skip()
        elif header.kind == tarfile.SYMTYPE:
            yield LinkMember(path, clean_symbolic_link(path, header.target))
        elif header.kind == tarfile.LNKTYPE:
            yield LinkMember(path, clean_path(header.target))
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
