"""Decompression of streams whose format is detected by their first bytes.

Sources: RFC 1952 (gzip), RFC 8878 (zstd), the bzip2 and xz file formats.
"""

import gzip
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, Protocol, cast

import zstandard

from minreg.fill.errors import ArchiveInvalid

MAX_WINDOW = 128 * 1024 * 1024
"""Bytes of memory that a stream may demand for its window: what ``zstd --long=27`` needs."""

_CHUNK = 256 * 1024
_LONGEST_MAGIC = 6


class Readable(Protocol):
    """A stream of bytes that is read once and in order."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; an empty result is the end of the stream."""


def open_decompressed(source: Readable) -> Readable:
    """Detect the compression of a stream, and return the decompressed stream.

    Args:
        source: The stream. It need not be seekable; the caller closes it.

    Returns:
        The decompressed stream, or the same bytes if the stream is not compressed. Reading it
        raises ArchiveInvalid where the stream is damaged or truncated.

    Raises:
        ArchiveInvalid: The compression is not supported, here or by the Python that runs this.
    """
    beginning = _read_beginning(source)
    stream = _PrefixedStream(beginning, source)
    for magic, name, open_format in _FORMATS:
        if beginning.startswith(magic):
            return _TranslatedErrors(name, open_format(stream))
    if beginning.startswith(b"\x04\x22\x4d\x18"):
        raise ArchiveInvalid("lz4 compression is not supported; decompress with 'lz4 -dc' first")
    return stream


def detect_compression(beginning: bytes) -> str | None:
    """Return ``gzip``, ``zstd``, ``bzip2`` or ``xz`` for a stream's first bytes, or None."""
    return next((name for magic, name, _ in _FORMATS if beginning.startswith(magic)), None)


def _read_beginning(source: Readable) -> bytes:
    beginning = b""
    while len(beginning) < _LONGEST_MAGIC:
        chunk = source.read(_LONGEST_MAGIC - len(beginning))
        if not chunk:
            break
        beginning += chunk
    return beginning


class _PrefixedStream:
    """A stream whose first bytes were already read."""

    def __init__(self, beginning: bytes, rest: Readable) -> None:
        self._beginning = beginning
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if not self._beginning:
            return self._rest.read(size)
        chunk, self._beginning = self._beginning[:size], self._beginning[size:]
        return chunk


class _TranslatedErrors:
    """A decompressed stream that raises ArchiveInvalid for the errors of its decompressor."""

    def __init__(self, name: str, decompressed: Readable) -> None:
        self._name = name
        self._decompressed = decompressed

    def read(self, size: int, /) -> bytes:
        try:
            return self._decompressed.read(size)
        except EOFError:
            raise ArchiveInvalid(
                f"the {self._name} stream is truncated; copy the archive again"
            ) from None
        except (zlib.error, zstandard.ZstdError) as error:
            raise self._damaged(error) from None
        except OSError as error:
            # bz2, gzip and _XzStream raise OSError for a damaged stream as well, but without an
            # errno.
            if error.errno is not None:
                raise
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> ArchiveInvalid:
        return ArchiveInvalid(
            f"the {self._name} stream cannot be decompressed ({error}); copy the archive again"
        )


class _XzStream:
    """One xz stream, or several concatenated ones (``cat a.xz b.xz``).

    ``lzma.LZMAFile`` reads both, but takes no memory limit: a header of 20 bytes can make it
    allocate a dictionary of 4 GiB. Only ``lzma.LZMADecompressor`` takes a limit.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._lzma = _import_codec("lzma", "xz")
        self._decompressor = self._make_decompressor()

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; an empty result is the end of the stream.

        Raises:
            EOFError: The stream is truncated.
            OSError: It is damaged, or its source cannot be read.
        """
        try:
            return self._read(size)
        except self._lzma.LZMAError as error:
            raise OSError(str(error)) from None

    def _make_decompressor(self) -> Any:
        return self._lzma.LZMADecompressor(memlimit=MAX_WINDOW)

    def _read(self, size: int) -> bytes:
        while True:
            compressed = b""
            if self._decompressor.eof:
                compressed = self._decompressor.unused_data or self._source.read(_CHUNK)
                # Tapes and block devices leave zeros behind the last stream.
                if not compressed.strip(b"\0"):
                    return b""
                self._decompressor = self._make_decompressor()
            elif self._decompressor.needs_input:
                compressed = self._source.read(_CHUNK)
                if not compressed:
                    raise EOFError
            content: bytes = self._decompressor.decompress(compressed, size)
            if content:
                return content


# The libraries are typed for files, but call only the method ``read`` of what they decompress.


def _open_gzip(source: Readable) -> Readable:
    return gzip.GzipFile(fileobj=cast(BinaryIO, source), mode="rb")


def _open_zstd(source: Readable) -> Readable:
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    return decompressor.stream_reader(
        cast(BinaryIO, source),
        read_size=_CHUNK,
        read_across_frames=True,
    )


def _open_bzip2(source: Readable) -> Readable:
    # BZ2File takes a damaged beginning of a second stream for the end. Nothing is lost
    # unnoticed: the tar archive in it is truncated then.
    opened: Readable = _import_codec("bz2", "bzip2").BZ2File(source)
    return opened


def _import_codec(module: str, program: str) -> Any:
    """Import a module that a Python may be built without; most archives do not need it.

    Args:
        module: The name of the module.
        program: The program that decompresses the same format.

    Raises:
        ArchiveInvalid: This Python does not have the module.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise ArchiveInvalid(
            f"{program} compression is not supported by the Python that runs minreg; "
            f"decompress with '{program} -dc' first"
        ) from None


_FORMATS: tuple[tuple[bytes, str, Callable[[Readable], Readable]], ...] = (
    (b"\x1f\x8b", "gzip", _open_gzip),
    (b"\x28\xb5\x2f\xfd", "zstd", _open_zstd),
    # Skippable frames (RFC 8878, 3.1.2), with which parallel compressors begin.
    *((bytes((first,)) + b"\x2a\x4d\x18", "zstd", _open_zstd) for first in range(0x50, 0x60)),
    (b"BZh", "bzip2", _open_bzip2),
    (b"\xfd7zXZ\0", "xz", _XzStream),
)
