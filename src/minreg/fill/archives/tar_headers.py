"""The headers of tar archives, one by one.

Only what image archives use is read. Sizes are bounded before anything is read, since
the archive may come from anyone. Source: POSIX.1-2017, pax, "ustar Interchange Format"
and "pax Header Block"; GNU tar, "Basic Tar Format".
"""

import tarfile
from collections.abc import Mapping

import attrs

from minreg.fill.archives.failures import ArchiveInvalid

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
