"""Compressed streams, recognised by their first bytes.

Sources: RFC 1952 (gzip), RFC 8878 (zstd), the bzip2 and xz file formats.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

from minreg.fill.errors import ArchiveInvalid

LARGEST_WINDOW = 128 * 1024 * 1024
"""Bytes that a stream may make its reader remember: what ``zstd --long=27`` needs."""

_CHUNK = 256 * 1024
_LONGEST_MAGIC = 6
_GZIP = 16 + zlib.MAX_WBITS


class Readable(Protocol):
    """Where bytes come from, once and in order."""

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes; none are left when none come back."""


class _Decompressor(Protocol):
    """What the decompressors of ``bz2`` and ``lzma`` have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def open_decompressed(source: Readable) -> Readable:
    """Look at how a stream begins, and return what it is before it was compressed.

    Args:
        source: The stream. It need not be seekable, and stays the caller's to close.

    Raises:
        ArchiveInvalid: It is compressed in a way that is not read here. Reading from what
            comes back raises it where the stream is damaged or cut short.
    """
    beginning = _read_beginning(source)
    whole = _Rejoined(beginning, source)
    for magic, name, opener in _FORMATS:
        if beginning.startswith(magic):
            return _Checked(name, opener(whole))
    if beginning.startswith(b"\x04\x22\x4d\x18"):
        raise ArchiveInvalid("it is compressed with lz4: pipe it through 'lz4 -dc' first")
    return whole


def detect_compression(beginning: bytes) -> str | None:
    """Name the compression of what begins so: gzip, zstd, bzip2, xz, or None."""
    return next((name for magic, name, _ in _FORMATS if beginning.startswith(magic)), None)


def _read_beginning(source: Readable) -> bytes:
    beginning = b""
    while len(beginning) < _LONGEST_MAGIC:
        more = source.read(_LONGEST_MAGIC - len(beginning))
        if not more:
            break
        beginning += more
    return beginning


class _Rejoined:
    """A stream whose beginning was read already."""

    def __init__(self, beginning: bytes, rest: Readable) -> None:
        self._beginning = beginning
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if not self._beginning:
            return self._rest.read(size)
        taken, self._beginning = self._beginning[:size], self._beginning[size:]
        return taken


class _Checked:
    """Says of each decompressor's own errors what they mean for the archive."""

    def __init__(self, name: str, decompressed: Readable) -> None:
        self._name = name
        self._decompressed = decompressed

    def read(self, size: int, /) -> bytes:
        try:
            return self._decompressed.read(size)
        except EOFError:
            raise ArchiveInvalid(
                f"its {self._name} stream is cut short: copy the archive again"
            ) from None
        except (zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            raise self._damaged(error) from None
        except OSError as error:
            # bz2 raises it for damage as well, without a number.
            if error.errno is not None:
                raise
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> ArchiveInvalid:
        return ArchiveInvalid(
            f"its {self._name} stream cannot be decompressed ({error}): copy the archive again"
        )


class _Streams:
    """One compressed stream, or several behind each other, as ``cat`` makes them."""

    def __init__(self, source: Readable, make_decompressor: Callable[[], _Decompressor]) -> None:
        self._source = source
        self._make_decompressor = make_decompressor
        self._decompressor = make_decompressor()

    def read(self, size: int, /) -> bytes:
        while True:
            compressed = b""
            if self._decompressor.eof:
                compressed = self._decompressor.unused_data or self._source.read(_CHUNK)
                if not compressed.strip(b"\0"):
                    return b""
                self._decompressor = self._make_decompressor()
            elif self._decompressor.needs_input:
                compressed = self._source.read(_CHUNK)
                if not compressed:
                    raise EOFError
            content = self._decompressor.decompress(compressed, size)
            if content:
                return content


class _Inflater:
    """``zlib`` with the face of ``bz2`` and ``lzma``."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflater.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)


def _open_gzip(source: Readable) -> Readable:
    return _Streams(source, _Inflater)


def _open_zstd(source: Readable) -> Readable:
    decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    return decompressor.stream_reader(
        source,  # type: ignore[arg-type] # only reads
        read_size=_CHUNK,
        read_across_frames=True,
    )


def _open_bzip2(source: Readable) -> Readable:
    return _Streams(source, bz2.BZ2Decompressor)


def _open_xz(source: Readable) -> Readable:
    return _Streams(source, lambda: lzma.LZMADecompressor(memlimit=LARGEST_WINDOW))


_FORMATS: tuple[tuple[bytes, str, Callable[[Readable], Readable]], ...] = (
    (b"\x1f\x8b", "gzip", _open_gzip),
    (b"\x28\xb5\x2f\xfd", "zstd", _open_zstd),
    # Frames to be skipped, with which parallel compressors begin.
    *((bytes((first,)) + b"\x2a\x4d\x18", "zstd", _open_zstd) for first in range(0x50, 0x60)),
    (b"BZh", "bzip2", _open_bzip2),
    (b"\xfd7zXZ\0", "xz", _open_xz),
)
