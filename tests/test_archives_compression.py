"""Tests for ``minreg.fill.archives.compression``."""

import bz2
import gzip
import hashlib
import io
import lzma
from collections.abc import Callable

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.compression import (
    LARGEST_WINDOW,
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
    """A stream that gives few bytes at a time, and cannot be sought, as a pipe may."""

    def __init__(self, content: bytes, at_a_time: int = 1000) -> None:
        self._content = io.BytesIO(content)
        self._at_a_time = at_a_time

    def read(self, size: int, /) -> bytes:
        """Read fewer bytes than could be had."""
        return self._content.read(min(size, self._at_a_time))


def read_all(stream: Readable) -> bytes:
    """Read a stream to its end."""
    return b"".join(iter(lambda: stream.read(100_000), b""))


class OpenDecompressedTests(SynchronousTestCase):
    """Tests for ``open_decompressed``."""

    def test_formats(self) -> None:
        """Each compression is recognised by what the stream holds."""
        for name, compress in COMPRESSORS.items():
            compressed = compress(CONTENT)
            self.assertEqual(detect_compression(compressed), name)
            self.assertEqual(read_all(open_decompressed(Trickle(compressed))), CONTENT, name)

    def test_plain(self) -> None:
        """What is not compressed is given as it is, however short."""
        for content in (b"", b"B", CONTENT):
            self.assertIsNone(detect_compression(content))
            self.assertEqual(read_all(open_decompressed(Trickle(content))), content)

    def test_joined(self) -> None:
        """Streams behind each other are one, as the tools that made them hold it."""
        for name, compress in COMPRESSORS.items():
            joined = compress(CONTENT) + compress(b"and more")
            self.assertEqual(
                read_all(open_decompressed(Trickle(joined))), CONTENT + b"and more", name
            )

    def test_filled_up(self) -> None:
        """Zeros behind a stream, which tapes and block devices leave, are no content."""
        for name in ("gzip", "bzip2", "xz"):
            filled = COMPRESSORS[name](CONTENT) + bytes(1024)
            self.assertEqual(read_all(open_decompressed(Trickle(filled))), CONTENT, name)

    def test_skippable_frame(self) -> None:
        """A zstd stream may begin with a frame that holds no content."""
        stream = b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(b"content")
        self.assertEqual(read_all(open_decompressed(Trickle(stream))), b"content")

    def test_zstd_window(self) -> None:
        """A window of 128 MiB is read, a larger one is refused."""
        for window, is_read in ((LARGEST_WINDOW, True), (2 * LARGEST_WINDOW, False)):
            frame = zstd_frame(window)
            if is_read:
                self.assertEqual(read_all(open_decompressed(Trickle(frame))), b"a")
            else:
                failure = self.assertRaises(
                    ArchiveInvalid, read_all, open_decompressed(Trickle(frame))
                )
                self.assertIn("its zstd stream cannot be decompressed", str(failure))

    def test_xz_memory(self) -> None:
        """An xz stream that wants more memory than that is refused too."""
        filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2 * LARGEST_WINDOW, "preset": 0}]
        stream = lzma.compress(b"content", filters=filters)
        failure = self.assertRaises(ArchiveInvalid, read_all, open_decompressed(Trickle(stream)))
        self.assertIn("its xz stream cannot be decompressed (Memory usage", str(failure))

    def test_cut_short(self) -> None:
        """A stream that ends too early says so; zstd's is left to what it holds."""
        for name in ("gzip", "bzip2", "xz"):
            cut = COMPRESSORS[name](CONTENT)[:-9]
            failure = self.assertRaises(ArchiveInvalid, read_all, open_decompressed(Trickle(cut)))
            self.assertEqual(
                str(failure), f"its {name} stream is cut short: copy the archive again"
            )

    def test_damaged(self) -> None:
        """A stream with a bit turned over is refused."""
        for name, compress in COMPRESSORS.items():
            damaged = bytearray(compress(CONTENT))
            damaged[len(damaged) // 3] ^= 1
            try:
                content = read_all(open_decompressed(Trickle(bytes(damaged))))
            except ArchiveInvalid as failure:
                self.assertIn(f"its {name} stream cannot be decompressed", str(failure))
            else:
                # Only frames with a checksum notice; digests notice in any case.
                self.assertEqual(name, "zstd")
                self.assertNotEqual(content, CONTENT)

    def test_lz4(self) -> None:
        """What K3s reads and minreg does not comes with the way out."""
        failure = self.assertRaises(
            ArchiveInvalid, open_decompressed, Trickle(b"\x04\x22\x4d\x18" + bytes(20))
        )
        self.assertEqual(
            str(failure), "it is compressed with lz4: pipe it through 'lz4 -dc' first"
        )

    def test_error_of_the_disk(self) -> None:
        """An error of the disk is not taken for damage of the stream."""

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
        """Whatever follows a format's first bytes is read or refused, and nothing else."""
        magic = COMPRESSORS[name](b"")[:6]
        try:
            read_all(open_decompressed(Trickle(magic + content)))
        except ArchiveInvalid as failure:
            self.assertIn(f"its {name} stream", str(failure))


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
