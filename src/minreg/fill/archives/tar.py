"""Reads the members of a tar archive from a stream that cannot be sought.

Headers are decoded by ``tarfile.TarInfo.frombuf``. The loop over them is not that of
``tarfile.TarFile``, which is not made for archives from strangers; tried with Python 3.11,
in mode ``r|``, with the archives of tests/test_archives_tar.py, it

- takes a damaged header, except the first, for the end of the archive;
- reads the size ``1e3`` of a pax header as 0, and ``-1`` as it is;
- hangs on the size 99999999999999999999 (it skips content in a loop);
- ignores damaged pax records;
- ends with RecursionError after some hundred extension headers in a row;
- reads extension headers of any size into memory;
- applies the path of a global pax header to every member.

Sources: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual,
"Basic Tar Format".
"""

import tarfile
from collections.abc import Iterator, Mapping

from minreg.fill.archives.compression import Readable
from minreg.fill.archives.members import (
    FileMember,
    LinkMember,
    Member,
    MemberRefused,
    normalize_path,
    resolve_symbolic_link,
)
from minreg.fill.errors import ArchiveInvalid

_MAX_EXTENSION = 64 * 1024
"""Bytes of an extension header: it holds a path, a link's target and a few times."""

_MAX_PADDING = 64 * 1024 * 1024
"""Bytes of zeros that may follow the end of the archive."""

_CHUNK = 1024 * 1024

_FILES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
_EXTENSIONS = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


def read_tar(stream: Readable) -> Iterator[Member]:
    """Yield the members of a tar archive, and read the stream to its end.

    Directories are skipped.

    Args:
        stream: The decompressed archive.

    Raises:
        ArchiveInvalid: The archive is damaged, truncated, followed by other data, or has a
            member that does not belong in an image archive.
    """
    for header in _read_headers(stream):
        path = normalize_path(header.name)
        if header.type in _FILES:
            content = _MemberContent(path, header.size, stream)
            yield FileMember(path, header.size, content)
            content.skip()
        elif header.type == tarfile.SYMTYPE:
            yield LinkMember(path, resolve_symbolic_link(path, header.linkname))
        elif header.type == tarfile.LNKTYPE:
            yield LinkMember(path, normalize_path(header.linkname))
        elif header.type != tarfile.DIRTYPE:
            raise MemberRefused(path, "is neither a file, a directory nor a link")
    _check_padding(stream)


def _read_headers(stream: Readable) -> Iterator[tarfile.TarInfo]:
    """Yield the header of each member, with its extension headers applied.

    The caller reads the member's content before it requests the next header.
    """
    extensions: dict[str, str] = {}
    while (block := _read_block(stream)).strip(b"\0"):
        header = _parse_header(block)
        if header.type not in _EXTENSIONS:
            _apply_extensions(header, extensions)
            yield header
            extensions = {}
            continue
        if header.size > _MAX_EXTENSION:
            raise ArchiveInvalid(
                f"the header of a member takes {header.size} bytes; "
                "no image tool writes such an archive, so it is refused"
            )
        content = _MemberContent("a header", header.size, stream).read_all()
        extensions.update(_parse_extension(header, content))


def _parse_header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "backslashreplace")
    except tarfile.HeaderError:
        raise ArchiveInvalid(
            "this is no tar archive, or a damaged one; give an image archive, or copy it again"
        ) from None
    if header.size < 0:
        raise ArchiveInvalid(f"{header.name!r} has a negative size; copy the archive again")
    return header


def _parse_extension(header: tarfile.TarInfo, content: bytes) -> Mapping[str, str]:
    """Return the fields that override those of the next header, under their names in pax."""
    if header.type == tarfile.XGLTYPE:
        # A global header holds for all members, so path, linkpath and size make no sense in it.
        return {}
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": _decode(content)}
    if header.type == tarfile.GNUTYPE_LONGLINK:
        return {"linkpath": _decode(content)}
    return _parse_pax_records(content)


def _parse_pax_records(content: bytes) -> Mapping[str, str]:
    """Parse lines of the form ``LENGTH KEYWORD=VALUE``; the length counts all of the line."""
    records = {}
    while content.strip(b"\0"):
        digits, _, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 6 else 0
        record, content = content[:length], content[length:]
        keyword, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if len(record) != length or not equals or not record.endswith(b"\n"):
            raise ArchiveInvalid("a pax header is damaged; copy the archive again")
        records[_decode(keyword)] = _decode(value)
    return records


def _apply_extensions(header: tarfile.TarInfo, extensions: Mapping[str, str]) -> None:
    header.name = extensions.get("path", header.name)
    header.linkname = extensions.get("linkpath", header.linkname)
    if any(keyword.startswith("GNU.sparse.") for keyword in extensions):
        raise ArchiveInvalid(f"{header.name!r} is a sparse file; pack it without --sparse")
    size = extensions.get("size", str(header.size))
    # int() alone accepts "-1", "1_0" and digits of other scripts.
    if not (size.isascii() and size.isdigit() and len(size) < 20):
        raise ArchiveInvalid(
            f"{header.name!r} has the invalid size {size[:40]!r}; copy the archive again"
        )
    header.size = int(size)


def _decode(content: bytes) -> str:
    return content.rstrip(b"\0").decode("utf-8", "backslashreplace")


def _read_block(stream: Readable) -> bytes:
    block = b""
    while len(block) < tarfile.BLOCKSIZE:
        chunk = stream.read(tarfile.BLOCKSIZE - len(block))
        if not chunk:
            raise ArchiveInvalid("the archive is truncated, or no tar archive; copy it again")
        block += chunk
    return block


def _check_padding(stream: Readable) -> None:
    """Read the zeros behind the end of the archive.

    A sender does not get SIGPIPE then, and decompressors check their checksums only at the end.
    """
    padding = 0
    while chunk := stream.read(_CHUNK):
        padding += len(chunk)
        if chunk.strip(b"\0") or padding > _MAX_PADDING:
            raise ArchiveInvalid(
                "other data follows the end of the archive; give archives one by one, not joined"
            )


class _MemberContent:
    """The content of a member: ``size`` bytes, and the padding up to the next block."""

    def __init__(self, path: str, size: int, stream: Readable) -> None:
        self._path = path
        self._stream = stream
        self._remaining = size
        self._padding = -size % tarfile.BLOCKSIZE

    def read(self, size: int, /) -> bytes:
        size = min(size, self._remaining)
        if not size:
            self._skip_padding()
            return b""
        content = self._stream.read(size)
        self._remaining -= len(content)
        if not content:
            raise self._truncated()
        return content

    def read_all(self) -> bytes:
        return b"".join(iter(lambda: self.read(_CHUNK), b""))

    def skip(self) -> None:
        while self.read(_CHUNK):
            pass

    def _skip_padding(self) -> None:
        while self._padding:
            padding = self._stream.read(self._padding)
            self._padding -= len(padding)
            if not padding:
                raise self._truncated()

    def _truncated(self) -> ArchiveInvalid:
        return ArchiveInvalid(
            f"the archive is truncated within {self._path!r}; copy the archive again"
        )
