"""Tests for ``minreg.fill.archives.compression``."""

import bz2
import gzip
import hashlib
import io
import lzma
import sys
from collections.abc import Callable
from unittest.mock import patch

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.compression import (
    MAX_WINDOW,
    Readable,
    detect_compression,
    open_decompressed,
)
from minreg.fill.errors import ArchiveInvalid

CONTENT = hashlib.shake_128(b"").digest(300_000) + bytes(2_000_000)
"""Bytes of which some cannot be compressed, and more that can be to almost nothing."""

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


class Trickle:
    """A stream that returns few bytes at a time and cannot be sought, like a pipe."""

    def __init__(self, content: bytes, at_a_time: int = 1000) -> None:
        self._content = io.BytesIO(content)
        self._at_a_time = at_a_time

    def read(self, size: int, /) -> bytes:
        """Return fewer bytes than requested."""
        return self._content.read(min(size, self._at_a_time))


def read_all(stream: Readable) -> bytes:
    """Read a stream to its end."""
    return b"".join(iter(lambda: stream.read(100_000), b""))


class OpenDecompressedTests(SynchronousTestCase):
    """Tests for ``open_decompressed``."""

    def test_python_without_codec(self) -> None:
        """If this Python cannot decompress a format, the message names a program that can."""
        for module, name in (("bz2", "bzip2"), ("lzma", "xz")):
            compressed = COMPRESSORS[name](CONTENT)
            with patch.dict(sys.modules, {module: None}):
                error = self.assertRaises(ArchiveInvalid, open_decompressed, Trickle(compressed))
            self.assertEqual(
                str(error),
                f"{name} compression is not supported by the Python that runs minreg; "
                f"decompress with '{name} -dc' first",
            )

    def test_formats(self) -> None:
        """Each compression is detected from the content."""
        for name, compress in COMPRESSORS.items():
            compressed = compress(CONTENT)
            self.assertEqual(detect_compression(compressed), name)
            self.assertEqual(read_all(open_decompressed(Trickle(compressed))), CONTENT, name)

    def test_plain(self) -> None:
        """A stream that is not compressed is returned unchanged, however short."""
        for content in (b"", b"B", CONTENT):
            self.assertIsNone(detect_compression(content))
            self.assertEqual(read_all(open_decompressed(Trickle(content))), content)

    def test_joined(self) -> None:
        """Concatenated streams are decompressed to concatenated content."""
        for name, compress in COMPRESSORS.items():
            joined = compress(CONTENT) + compress(b"and more")
            self.assertEqual(
                read_all(open_decompressed(Trickle(joined))), CONTENT + b"and more", name
            )

    def test_filled_up(self) -> None:
        """Zeros behind a stream, as tapes and block devices leave them, are ignored."""
        for name in ("gzip", "bzip2", "xz"):
            filled = COMPRESSORS[name](CONTENT) + bytes(1024)
            self.assertEqual(read_all(open_decompressed(Trickle(filled))), CONTENT, name)

    def test_skippable_frame(self) -> None:
        """A zstd stream may begin with a skippable frame."""
        stream = b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(b"content")
        self.assertEqual(read_all(open_decompressed(Trickle(stream))), b"content")

    def test_zstd_window(self) -> None:
        """A window of 128 MiB is read, a larger one is refused."""
        for window, is_read in ((MAX_WINDOW, True), (2 * MAX_WINDOW, False)):
            frame = zstd_frame(window)
            if is_read:
                self.assertEqual(read_all(open_decompressed(Trickle(frame))), b"a")
            else:
                failure = self.assertRaises(
                    ArchiveInvalid, read_all, open_decompressed(Trickle(frame))
                )
                self.assertIn("the zstd stream cannot be decompressed", str(failure))

    def test_xz_memory(self) -> None:
        """An xz stream that demands more memory is refused too."""
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2 * MAX_WINDOW, "preset": 0}]
        stream = lzma.compress(b"content", filters=filters)
        failure = self.assertRaises(ArchiveInvalid, read_all, open_decompressed(Trickle(stream)))
        self.assertIn("the xz stream cannot be decompressed (Memory usage", str(failure))

    def test_cut_short(self) -> None:
        """A truncated stream is reported, except by zstd's reader."""
        for name in ("gzip", "bzip2", "xz"):
            cut = COMPRESSORS[name](CONTENT)[:-9]
            failure = self.assertRaises(ArchiveInvalid, read_all, open_decompressed(Trickle(cut)))
            self.assertEqual(
                str(failure), f"the {name} stream is truncated; copy the archive again"
            )

    def test_damaged(self) -> None:
        """A stream with a flipped bit is refused."""
        for name, compress in COMPRESSORS.items():
            damaged = bytearray(compress(CONTENT))
            damaged[len(damaged) // 3] ^= 1
            try:
                content = read_all(open_decompressed(Trickle(bytes(damaged))))
            except ArchiveInvalid as failure:
                self.assertIn(f"the {name} stream cannot be decompressed", str(failure))
            else:
                # Only frames with a checksum notice; digests notice in any case.
                self.assertEqual(name, "zstd")
                self.assertNotEqual(content, CONTENT)

    def test_lz4(self) -> None:
        """lz4 is refused, and the error says what to do."""
        failure = self.assertRaises(
            ArchiveInvalid, open_decompressed, Trickle(b"\x04\x22\x4d\x18" + bytes(20))
        )
        self.assertEqual(
            str(failure), "lz4 compression is not supported; decompress with 'lz4 -dc' first"
        )

    def test_error_of_the_disk(self) -> None:
        """An error of the disk is not reported as damage of the stream."""

        class Broken(Trickle):
            def read(self, size: int, /) -> bytes:
                content = super().read(size)
                if not content:
                    raise OSError(5, "Input/output error")
                return content

        for name, compress in COMPRESSORS.items():
            stream = open_decompressed(Broken(compress(CONTENT)[:-9]))
            failure = self.assertRaises(OSError, read_all, stream)
            self.assertEqual(failure.errno, 5, name)

    @settings(deadline=None)
    @given(st.sampled_from(sorted(COMPRESSORS)), st.binary(max_size=200))
    def test_anything(self, name: str, content: bytes) -> None:
        """Random bytes after a format's magic are read or refused; nothing else is raised."""
        magic = COMPRESSORS[name](b"")[:6]
        try:
            read_all(open_decompressed(Trickle(magic + content)))
        except ArchiveInvalid as failure:
            self.assertIn(f"the {name} stream", str(failure))


def zstd_frame(window: int) -> bytes:
    """Write a frame of one byte that states a window (RFC 8878, 3.1.1)."""
    exponent = window.bit_length() - 1
    descriptor, window_descriptor = 0, (exponent - 10) << 3
    last_raw_block_of_one_byte = (1 << 3 | 1).to_bytes(3, "little")
    return (
        b"\x28\xb5\x2f\xfd"
        + bytes([descriptor, window_descriptor])
        + last_raw_block_of_one_byte
        + b"a"
    )
