"""Tests for ``minreg.web.transfer.sendfile``, on real sockets."""

import contextlib
import os
import secrets
import socket

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from minreg.oci.names import Digest
from minreg.store.tree import RegistryTree
from minreg.web.channel import STALL_TIMEOUT
from tests.e2e.wires import Wire
from tests.fastpath import said
from tests.store_support import open_files
from tests.stores import ManualThreads
from tests.support import ALIASES, Response, WebTestCase, parse_response, write_request

LAYER = secrets.token_bytes(1 << 20) * 20
DIGEST = Digest.of(LAYER)
PATH = f"/v2/rancher/pause/blobs/{DIGEST}"
TAG = "/v2/rancher/pause/manifests/3.6"
BYTES, FAILURE = 5, 7


class SendfileTestCase(WebTestCase):
    """A registry with a layer of 20 MiB, more than a socket accepts at once."""

    def setUp(self) -> None:
        """Add the layer to the tree, connect a client, and count the open files."""
        super().setUp()
        self.tree.add_image("rancher/pause", "3.6", LAYER)
        self.open_before = open_files()
        self.wire = Wire(self.site, self.clock)
        self.addCleanup(self.wire.close)

    def fetch(self, path: str, **headers: str) -> Response:
        """Send a request, and read the whole response."""
        self.wire.ask(write_request(path, "GET", headers))
        return self.read()

    def read(self) -> Response:
        """Read one response, as long as its head says, or until it ends."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.wire.read(1)
        answer = parse_response(head)
        return parse_response(head + self.wire.read(int(answer.headers["content-length"])))

    def assert_nothing_left(self) -> None:
        """Check that the connection has ended, with all files closed."""
        self.wire.run()
        self.assertFalse(self.wire.transport.connected)
        self.assertEqual(self.wire.reactor.writers, set())
        self.wire.client.close()
        self.assertLessEqual(open_files(), self.open_before)

    def corked(self) -> int:
        """Return whether the registry's socket is corked."""
        return self.wire.transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK)

    def last_line(self) -> list[object]:
        """Return the last line of the log."""
        return said(self.logged("request")[-1])


class WholeTests(SendfileTestCase):
    """Tests for clients that read the response."""

    def test_whole(self) -> None:
        """A layer is sent completely, and the log has its size."""
        answer = self.fetch(PATH)
        self.assertEqual((answer.code, answer.body == LAYER), (200, True))
        self.assertEqual(self.last_line()[BYTES], len(LAYER))

    def test_range(self) -> None:
        """A range is sent completely, too."""
        answer = self.fetch(PATH, range="bytes=1000000-9000000")
        self.assertEqual(answer.code, 206)
        self.assertEqual(answer.header("content-range"), f"bytes 1000000-9000000/{len(LAYER)}")
        self.assertEqual(answer.body == LAYER[1_000_000:9_000_001], True)
        self.assertEqual(self.last_line()[BYTES], 8_000_001)

    def test_connection_lives_on(self) -> None:
        """After the response, no file is open and the socket is not corked."""
        self.fetch(TAG)
        open_between = open_files()
        for _ in range(2):
            self.assertEqual(len(self.fetch(PATH).body), len(LAYER))
            self.assertEqual(self.corked(), 0)
            self.assertEqual(open_files(), open_between)
            self.assertEqual(self.fetch(TAG).code, 200)
        self.clock.advance(80)
        self.assertTrue(self.wire.transport.connected)

    def test_pipelined(self) -> None:
        """Pipelined requests are answered in order."""
        asked = [TAG, PATH, TAG, PATH, PATH, TAG]
        self.wire.ask(b"".join(map(write_request, asked)))
        sizes = [len(self.read().body) for _ in asked]
        self.assertEqual([size == len(LAYER) for size in sizes], [path == PATH for path in asked])

    def test_after_much_else(self) -> None:
        """The transport's buffer is sent before the body."""
        starts = range(0, 9_000_000, 100_000)
        ranges = "bytes=" + ",".join(f"{start}-{start + 99_999}" for start in starts)
        self.wire.ask(write_request(PATH, "GET", {"range": ranges}) + write_request(PATH))
        self.assertEqual(self.read().code, 206)
        self.assertEqual(self.read().body == LAYER, True)

    def test_close(self) -> None:
        """A connection that is to be closed is closed after the last byte."""
        answer = self.fetch(PATH, connection="close")
        self.assertEqual(answer.body == LAYER, True)
        self.assertEqual(self.wire.read(1), b"")
        self.assert_nothing_left()


class BrokenTests(SendfileTestCase):
    """Tests for transfers that fail."""

    def begin(self) -> None:
        """Request the layer, and read a part of it."""
        self.wire.ask(write_request(PATH))
        self.assertEqual(self.wire.read(9), b"HTTP/1.1 ")
        self.assertEqual(self.corked(), 1)

    def test_client_leaves(self) -> None:
        """If a client leaves during a transfer, everything is released."""
        self.begin()
        self.wire.close()
        self.wire.run()
        self.assert_nothing_left()
        line = self.last_line()
        self.assertEqual(line[FAILURE], "the client left")
        self.assertLess(int(str(line[BYTES])), len(LAYER))

    def test_descriptor_stays_taken(self) -> None:
        """A pending event of a sender does not affect a new connection.

        One call of epoll_wait(2) may return an event for the socket and one for its duplicate.
        A connection that is accepted between them must not get the number of the duplicate, or
        the second event would close it.
        """
        self.begin()
        [sender] = self.wire.reactor.writers
        descriptor = sender.fileno()
        self.wire.transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((sender.fileno(), self.wire.reactor.writers), (-1, set()))
        os.fstat(descriptor)
        self.clock.advance(0)
        self.assertRaises(OSError, os.fstat, descriptor)
        self.assert_nothing_left()

    def test_takes_nothing(self) -> None:
        """A client that reads nothing needs no memory, and is disconnected later."""
        self.begin()
        self.assertEqual(self.wire.transport.dataBuffer, b"")
        self.clock.advance(STALL_TIMEOUT - 1)
        self.wire.read(5_000_000)
        self.clock.advance(STALL_TIMEOUT - 1)
        self.assertTrue(self.wire.transport.connected)
        self.clock.advance(2)
        self.assert_nothing_left()
        self.assertEqual(self.last_line()[FAILURE], "the client did not accept the response")

    def test_cut_short(self) -> None:
        """If the file is truncated, the connection is closed before the body is complete."""
        self.begin()
        os.truncate(self.tree.path("blobs", str(DIGEST)), 10_000_000)
        received = self.wire.read(len(LAYER))
        self.assertLess(len(received), 10_001_000)
        self.assert_nothing_left()
        self.assertIn("truncated", str(self.last_line()[FAILURE]))

    def test_cut_off(self) -> None:
        """When the timeout of a transfer expires, all its files are closed."""
        self.begin()
        self.site.drain(30)
        self.clock.advance(31)
        self.wire.run()
        self.assert_nothing_left()

    def test_drained(self) -> None:
        """When the daemon stops, a transfer is completed, and the connection is closed."""
        self.begin()
        drained = self.site.drain(30)
        self.assertNoResult(drained)
        self.wire.read(1 << 30)
        self.successResultOf(drained)
        self.assert_nothing_left()


class ColdTests(SendfileTestCase):
    """Tests for files that are not in the page cache."""

    def setUp(self) -> None:
        """Create threads that the test controls."""
        super().setUp()
        self.threads = ManualThreads()
        self.site = self.make_site(RegistryTree(self.root, ALIASES), in_thread=self.threads)
        self.wire.close()
        self.wire = Wire(self.site, self.clock)
        self.addCleanup(self.wire.close)

    def forget(self) -> None:
        """Evict the layer from the page cache."""
        with open(self.tree.path("blobs", str(DIGEST)), "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def test_read_before_the_answer(self) -> None:
        """The head is not sent before the first bytes of the body are read."""
        self.forget()
        self.wire.ask(write_request(PATH))
        self.threads.run()
        self.wire.run()
        self.assertEqual(len(self.threads), 1, "the file is in memory: is this a tmpfs?")
        self.assertRaises(BlockingIOError, self.wire.client.recv, 1)
        self.threads.run()
        self.assertEqual(self.wire.read(9), b"HTTP/1.1 ")

    def test_silent_disk(self) -> None:
        """A disk that does not respond is a 503 that a client can retry."""
        self.forget()
        self.wire.ask(write_request(PATH))
        self.threads.run()
        self.wire.run()
        self.clock.advance(3)
        answer = self.read()
        self.assertEqual((answer.code, answer.error_code), (503, "UNAVAILABLE"))

    def test_read_ahead(self) -> None:
        """Parts that are not cached are read in threads."""
        self.forget()
        self.wire.ask(write_request(PATH))
        received = 0
        for _ in range(10_000):
            self.wire.run()
            if len(self.threads):
                self.threads.run()
            with contextlib.suppress(BlockingIOError):
                received += len(self.wire.client.recv(1 << 20))
            if received > len(LAYER):
                break
        self.assertEqual(self.last_line()[BYTES], len(LAYER))

    def test_client_leaves(self) -> None:
        """If a client leaves while its file is read, everything is released."""
        self.forget()
        self.wire.ask(write_request(PATH))
        self.threads.run()
        self.wire.run()
        self.wire.close()
        self.threads.run()
        self.assert_nothing_left()
