"""Tests for ``minreg.web.transfer.sendfile``, on real sockets that are driven by hand."""

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
    """A registry with a layer of 20 MiB, more than any socket takes at once."""

    def setUp(self) -> None:
        """Put the layer into the tree, connect a client, and count what is open."""
        super().setUp()
        self.tree.add_image("rancher/pause", "3.6", LAYER)
        self.open_before = open_files()
        self.wire = Wire(self.site, self.clock)
        self.addCleanup(self.wire.close)

    def fetch(self, path: str, **headers: str) -> Response:
        """Ask, and read the whole answer."""
        self.wire.ask(write_request(path, "GET", headers))
        return self.read()

    def read(self) -> Response:
        """Read one answer, as long as its head says, or as long as it comes."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.wire.read(1)
        answer = parse_response(head)
        return parse_response(head + self.wire.read(int(answer.headers["content-length"])))

    def assert_nothing_left(self) -> None:
        """Check that the connection has ended with all that it had open."""
        self.wire.run()
        self.assertFalse(self.wire.transport.connected)
        self.assertEqual(self.wire.reactor.writers, set())
        self.wire.client.close()
        self.assertLessEqual(open_files(), self.open_before)

    def corked(self) -> int:
        """Tell whether the registry's socket holds back what does not fill a packet."""
        return self.wire.transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK)

    def last_line(self) -> list[object]:
        """Return what the log's last line says."""
        return said(self.logged("request")[-1])


class WholeTests(SendfileTestCase):
    """Tests for clients that take what they get."""

    def test_whole(self) -> None:
        """A layer arrives as it is, and the log says how much was sent."""
        answer = self.fetch(PATH)
        self.assertEqual((answer.code, answer.body == LAYER), (200, True))
        self.assertEqual(self.last_line()[BYTES], len(LAYER))

    def test_range(self) -> None:
        """So does one stretch of it."""
        answer = self.fetch(PATH, range="bytes=1000000-9000000")
        self.assertEqual(answer.code, 206)
        self.assertEqual(answer.header("content-range"), f"bytes 1000000-9000000/{len(LAYER)}")
        self.assertEqual(answer.body == LAYER[1_000_000:9_000_001], True)
        self.assertEqual(self.last_line()[BYTES], 8_000_001)

    def test_connection_lives_on(self) -> None:
        """After it the connection is as before: nothing is open, nothing held back."""
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
        """Requests that were sent ahead are answered in their order."""
        asked = [TAG, PATH, TAG, PATH, PATH, TAG]
        self.wire.ask(b"".join(map(write_request, asked)))
        sizes = [len(self.read().body) for _ in asked]
        self.assertEqual([size == len(LAYER) for size in sizes], [path == PATH for path in asked])

    def test_after_much_else(self) -> None:
        """What the transport still has to send goes first."""
        starts = range(0, 9_000_000, 100_000)
        ranges = "bytes=" + ",".join(f"{start}-{start + 99_999}" for start in starts)
        self.wire.ask(write_request(PATH, "GET", {"range": ranges}) + write_request(PATH))
        self.assertEqual(self.read().code, 206)
        self.assertEqual(self.read().body == LAYER, True)

    def test_close(self) -> None:
        """A connection that is to be closed is closed behind the last byte."""
        answer = self.fetch(PATH, connection="close")
        self.assertEqual(answer.body == LAYER, True)
        self.assertEqual(self.wire.read(1), b"")
        self.assert_nothing_left()


class BrokenTests(SendfileTestCase):
    """Tests for transfers that come to no good end."""

    def begin(self) -> None:
        """Ask for the layer and read a little of it."""
        self.wire.ask(write_request(PATH))
        self.assertEqual(self.wire.read(9), b"HTTP/1.1 ")
        self.assertEqual(self.corked(), 1)

    def test_client_leaves(self) -> None:
        """A client that leaves in the middle costs nothing any more."""
        self.begin()
        self.wire.close()
        self.wire.run()
        self.assert_nothing_left()
        line = self.last_line()
        self.assertEqual(line[FAILURE], "the client left")
        self.assertLess(int(str(line[BYTES])), len(LAYER))

    def test_descriptor_stays_taken(self) -> None:
        """What the reactor still has to tell of a sender goes to no other connection.

        One call of epoll_wait(2) may bring an event for the socket and one for its duplicate.
        If a connection that is accepted between them got the duplicate's number, it would be
        taken for the one whose client has left.
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
        """A client that takes nothing costs no memory, and is cut off after a while."""
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
        """If the file is cut short, the connection ends before the body does."""
        self.begin()
        os.truncate(self.tree.path("blobs", str(DIGEST)), 10_000_000)
        received = self.wire.read(len(LAYER))
        self.assertLess(len(received), 10_001_000)
        self.assert_nothing_left()
        self.assertIn("truncated", str(self.last_line()[FAILURE]))

    def test_cut_off(self) -> None:
        """When the daemon's patience with a transfer ends, all of it is closed."""
        self.begin()
        self.site.drain(30)
        self.clock.advance(31)
        self.wire.run()
        self.assert_nothing_left()

    def test_drained(self) -> None:
        """When the daemon is stopped, a transfer comes to its end, and so does the connection."""
        self.begin()
        drained = self.site.drain(30)
        self.assertNoResult(drained)
        self.wire.read(1 << 30)
        self.successResultOf(drained)
        self.assert_nothing_left()


class ColdTests(SendfileTestCase):
    """Tests for files that the kernel would have to read first."""

    def setUp(self) -> None:
        """Have threads that wait until they are told to go on."""
        super().setUp()
        self.threads = ManualThreads()
        self.site = self.make_site(RegistryTree(self.root, ALIASES), in_thread=self.threads)
        self.wire.close()
        self.wire = Wire(self.site, self.clock)
        self.addCleanup(self.wire.close)

    def forget(self) -> None:
        """Have the kernel forget the layer."""
        with open(self.tree.path("blobs", str(DIGEST)), "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def test_read_before_the_answer(self) -> None:
        """The head is not sent before there is something to send behind it."""
        self.forget()
        self.wire.ask(write_request(PATH))
        self.threads.run()
        self.wire.run()
        self.assertEqual(len(self.threads), 1, "the file is in memory: is this a tmpfs?")
        self.assertRaises(BlockingIOError, self.wire.client.recv, 1)
        self.threads.run()
        self.assertEqual(self.wire.read(9), b"HTTP/1.1 ")

    def test_silent_disk(self) -> None:
        """A disk that brings nothing is an error that a client can act on, not a hang."""
        self.forget()
        self.wire.ask(write_request(PATH))
        self.threads.run()
        self.wire.run()
        self.clock.advance(3)
        answer = self.read()
        self.assertEqual((answer.code, answer.error_code), (503, "UNAVAILABLE"))

    def test_read_ahead(self) -> None:
        """What is not in memory is read in threads, piece by piece."""
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
        """A client that leaves while its file is read costs nothing any more."""
        self.forget()
        self.wire.ask(write_request(PATH))
        self.threads.run()
        self.wire.run()
        self.wire.close()
        self.threads.run()
        self.assert_nothing_left()
