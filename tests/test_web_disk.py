"""Tests for ``minreg.web.disk``, and for requests that wait for the disk."""

import ctypes
import mmap
import os
from io import BytesIO, FileIO

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from minreg.oci.names import Digest
from minreg.store.interfaces import StoreUnavailable
from minreg.store.tree import RegistryTree
from minreg.web.disk import READ_AHEAD, DiskIO, cached_size, read_into_cache
from tests.stores import ManualThreads, OneContentStore, OpenFile
from tests.support import Connection, WebTestCase, parse_response, write_request

LAYER = b"0123456789"
BLOB = write_request(f"/v2/a/blobs/{Digest.of(LAYER)}")


class DiskTests(SynchronousTestCase):
    """Tests for ``DiskIO``."""

    def setUp(self) -> None:
        """Create a ``DiskIO`` whose threads the test controls."""
        self.clock = Clock()
        self.threads = ManualThreads()
        self.disk = DiskIO(self.clock, self.threads, timeout=2.0)

    def test_answer(self) -> None:
        """The result of a call is returned, and no timer is left."""
        found = self.disk.run(lambda first, second: first + second, 1, second=2)
        self.assertNoResult(found)
        self.threads.run()
        self.assertEqual(self.successResultOf(found), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """The exception of a call is returned."""
        found = self.disk.run(int, "x")
        self.threads.run()
        self.failureResultOf(found, ValueError)

    def test_timeout(self) -> None:
        """After two seconds a call fails, and the message suggests checking the disk."""
        found = self.disk.run(int, "1")
        self.clock.advance(1.9)
        self.assertNoResult(found)
        self.clock.advance(0.1)
        failure = self.failureResultOf(found, StoreUnavailable)
        self.assertIn("not answered for 2 seconds", str(failure.value))

    def test_late_answer(self) -> None:
        """A result after the timeout is closed."""
        file = OpenFile(LAYER)
        found = self.disk.run(lambda: file)
        self.clock.advance(2)
        self.failureResultOf(found, StoreUnavailable)
        self.threads.run()
        self.assertTrue(file.closed)

    def test_late_failure(self) -> None:
        """A failure, or a result without ``close``, after the timeout is dropped."""
        for look in ("x", "1"):
            found = self.disk.run(int, look)
            self.clock.advance(2)
            self.failureResultOf(found, StoreUnavailable)
            self.threads.run()

    def test_much(self) -> None:
        """Many items are fetched in groups, each with its own timeout."""
        told = iter(range(1200))
        for most, expected in ((600, range(600)), (1200, range(600, 1200)), (10, range(0))):
            taken = Deferred.fromCoroutine(self.disk.fetch_batch(told, most))
            while len(self.threads):
                self.clock.advance(1.5)
                self.threads.run()
            self.assertEqual(self.successResultOf(taken), list(expected))
        self.assertEqual(
            self.successResultOf(Deferred.fromCoroutine(self.disk.fetch_batch(told, 0))), []
        )

    def test_much_that_never_comes(self) -> None:
        """If a group does not arrive, the batch fails."""
        taken = Deferred.fromCoroutine(self.disk.fetch_batch(iter(range(1200)), 600))
        self.threads.run()
        self.clock.advance(2)
        self.failureResultOf(taken, StoreUnavailable)
        self.threads.run()

    def test_cancelled(self) -> None:
        """The result of a cancelled call is closed."""
        file = OpenFile(LAYER)
        found = self.disk.run(lambda: file)
        found.addErrback(lambda _withdrawn: None)
        found.cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.threads.run()
        self.assertTrue(file.closed)

    def test_too_many(self) -> None:
        """With a thousand pending calls, the next fails at once, until the disk recovers."""
        for _ in range(1024):
            self.disk.run(int, "1").addErrback(lambda _given_up: None)
        self.failureResultOf(self.disk.run(int, "1"), StoreUnavailable)
        self.assertEqual(len(self.threads), 1024)
        self.clock.advance(2)
        self.failureResultOf(self.disk.run(int, "1"), StoreUnavailable)
        self.threads.run()
        found = self.disk.run(int, "7")
        while len(self.threads):
            self.threads.run()
        self.assertEqual(self.successResultOf(found), 7)


class WaitingRequestTests(WebTestCase):
    """Tests for requests that wait for a slow disk."""

    def setUp(self) -> None:
        """Create a site whose threads the test controls."""
        super().setUp()
        self.threads = ManualThreads()
        self.file = OpenFile(LAYER)
        self.site = self.make_site(OneContentStore(self.file, 10), in_thread=self.threads)

    def ask(self) -> Connection:
        """Request a blob."""
        connection = self.connect()
        connection.send(BLOB)
        return connection

    def test_answered(self) -> None:
        """Nothing is sent before the disk has responded."""
        connection = self.ask()
        self.assertEqual(connection.received(), b"")
        self.clock.advance(1)
        self.threads.run()
        connection.pump()
        self.assertEqual(parse_response(connection.received()).body, LAYER)
        self.assertEqual(self.logged("request")[0]["seconds"], 1.0)

    def test_no_answer(self) -> None:
        """After two seconds the response is 503, and the log has the reason."""
        connection = self.ask()
        self.clock.advance(2)
        connection.pump()
        response = parse_response(connection.received())
        self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))
        self.threads.run()
        self.assertTrue(self.file.closed)
        self.assertEqual(connection.received(), b"")
        self.assertIn("not answered", self.logged("request")[0]["failure"])
        formats = [event["log_format"] for event in self.events]
        self.assertIn("cannot read the registry: {reason}", formats)

    def test_others_go_on(self) -> None:
        """Requests that need no disk do not wait."""
        self.ask()
        self.assertEqual(self.request("/v2/").code, 200)

    def test_client_leaves(self) -> None:
        """If the client leaves, the file is closed as soon as it is opened."""
        connection = self.ask()
        connection.leave()
        (event,) = self.logged("request")
        self.assertEqual((event["failure"], event["bytes"]), ("the client left", 0))
        self.threads.run()
        self.assertTrue(self.file.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_client_leaves_before_failure(self) -> None:
        """If the disk then fails, nothing more is logged."""
        store = OneContentStore(self.file, 10)
        store.repository.failure = StoreUnavailable("gone")
        self.site = self.make_site(store, in_thread=self.threads)
        self.ask().leave()
        self.threads.run()
        self.assertEqual(len(self.logged("request")), 1)

    def test_client_leaves_before_list(self) -> None:
        """A list that arrives too late is dropped."""
        connection = self.connect()
        connection.send(write_request("/v2/a/tags/list"))
        connection.leave()
        self.threads.run()
        self.assertEqual(len(self.logged("request")), 1)

    def test_next_request_waits(self) -> None:
        """Responses keep the order of the requests."""
        connection = self.connect()
        connection.send(BLOB + write_request("/v2/"))
        self.assertEqual(connection.received(), b"")
        self.threads.run()
        connection.pump()
        self.assertEqual(connection.received().count(b"HTTP/1.1 200 OK"), 2)

    def test_root_gone(self) -> None:
        """If the root is missing, every endpoint that needs it answers 503."""
        self.site = self.make_site(RegistryTree(self.mktemp()))
        for path in ("/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/1"):
            response = self.request(path)
            self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))


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
