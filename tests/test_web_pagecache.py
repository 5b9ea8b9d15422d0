"""Tests for ``minreg.web.disk``, with a real page cache."""

import ctypes
import mmap
import os
from io import BytesIO, FileIO

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from minreg.web.disk import READ_AHEAD, cached_size, read_into_cache

SIZE = 18 * READ_AHEAD + 1
HUGE = 4 * READ_AHEAD
"""What the kernel may keep, and forget, as one."""
_ATTEMPTS = 100


def count_cached_pages(descriptor: int, offset: int, size: int) -> int:
    """Return how many pages of a part of a file are in the page cache (mincore(2))."""
    pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
    with mmap.mmap(descriptor, SIZE, access=mmap.ACCESS_COPY) as mapped:
        view = ctypes.c_char.from_buffer(mapped)
        start = ctypes.c_void_p(ctypes.addressof(view) + offset)
        status = ctypes.CDLL(None).mincore(start, ctypes.c_size_t(size), pages)
        del view
    assert status == 0
    return sum(page & 1 for page in pages)


class CachedSizeTests(SynchronousTestCase):
    """Tests for ``cached_size`` and ``read_into_cache``."""

    def setUp(self) -> None:
        """Write a file, and evict it from the page cache."""
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(bytes(SIZE))
            file.flush()
            os.fsync(file.fileno())
        self.file = FileIO(path)
        self.addCleanup(self.file.close)
        self.forget(0, SIZE)

    def forget(self, offset: int, size: int) -> None:
        """Evict a part of the file from the page cache; skip the test if that is impossible.

        A file system in memory forgets nothing, and another process may use the pages just now.
        """
        for _ in range(_ATTEMPTS):
            os.posix_fadvise(self.file.fileno(), offset, size, os.POSIX_FADV_DONTNEED)
            if not count_cached_pages(self.file.fileno(), offset, size):
                return
        raise SkipTest("needs a file system that forgets: the kernel keeps this file in memory")

    def read(self, offset: int, size: int) -> None:
        """Read a part as a thread does."""
        read_into_cache(os.dup(self.file.fileno()), offset, size)

    def test_all(self) -> None:
        """A part that was read into the cache counts as cached."""
        self.read(0, SIZE)
        self.assertEqual(cached_size(self.file, 0, SIZE), SIZE)
        self.assertEqual(cached_size(self.file, SIZE - 9, 9), 9)

    def test_forgotten(self) -> None:
        """A part that was evicted does not count as cached."""
        self.assertEqual(cached_size(self.file, 0, SIZE), 0)

    def test_hole(self) -> None:
        """Bytes after a gap do not count as cached."""
        self.read(0, SIZE)
        self.assertEqual(cached_size(self.file, 0, SIZE), SIZE)
        self.forget(HUGE, 2 * HUGE)
        self.assertEqual(cached_size(self.file, 0, SIZE), HUGE)

    def test_small_hole(self) -> None:
        """Bytes before a gap count as cached, to half a megabyte."""
        self.patch(os, "preadv", self.probe)
        for hole in (1, 3, 5, 17):
            self.hole = range(hole * READ_AHEAD, (hole + 1) * READ_AHEAD)
            self.assertEqual(cached_size(self.file, 0, SIZE), self.hole.start)
            self.assertEqual(cached_size(self.file, self.hole.start, SIZE), 0)

    def probe(self, _descriptor: int, _buffers: object, offset: int, _flags: int) -> int:
        """Pretend that all of the file but a given part is cached."""
        if offset in self.hole:
            raise BlockingIOError
        return 1

    def test_end(self) -> None:
        """Nothing after the end of the file needs reading."""
        self.assertEqual(cached_size(self.file, SIZE + READ_AHEAD, 9), 9)

    def test_memory(self) -> None:
        """A file in memory needs no disk."""
        self.assertEqual(cached_size(BytesIO(b"x"), 0, 1), 1)

    def test_closed(self) -> None:
        """``read_into_cache`` closes its descriptor, also after an error."""
        directory = os.open(".", os.O_RDONLY)
        read_into_cache(directory, 0, 9)
        self.assertRaises(OSError, os.fstat, directory)
