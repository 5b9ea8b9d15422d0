"""Tests for ``minreg.web.channel``: requests on a connection, timeouts and backpressure."""

from twisted.internet.address import UNIXAddress
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import Digest
from minreg.web.channel import Deadline
from tests.stores import ManualThreads, OneContentStore, OpenFile
from tests.support import Connection, WebTestCase, parse_response, write_request

PING = write_request("/v2/")
BLOB = bytes(1 << 20)
BLOB_REQUEST = write_request(f"/v2/a/blobs/{Digest.of(BLOB)}")


class ConnectionTests(WebTestCase):
    """Tests for requests on a connection."""

    def test_keep_alive(self) -> None:
        """A connection serves one request after the other."""
        connection = self.connect()
        for _ in range(3):
            self.assertEqual(connection.request("/v2/").code, 200)
        self.assertFalse(connection.is_closed)

    def test_pipelined(self) -> None:
        """Requests that arrive together are answered in order."""
        connection = self.connect()
        connection.send(PING + write_request("/nowhere") + PING)
        answers = connection.received().split(b"HTTP/1.1 ")[1:]
        self.assertEqual([answer[:3] for answer in answers], [b"200", b"404", b"200"])

    def test_byte_by_byte(self) -> None:
        """A request may arrive in pieces of any size."""
        connection = self.connect()
        for byte in PING:
            self.assertEqual(connection.received(), b"")
            connection.send(bytes([byte]))
        self.assertEqual(parse_response(connection.received()).code, 200)

    def test_connection_close(self) -> None:
        """If the client asks to close the connection, it gets its response first."""
        connection = self.connect()
        response = connection.request("/v2/", headers={"connection": "close"})
        self.assertEqual((response.code, response.header("connection")), (200, "close"))
        self.assertTrue(connection.is_closed)

    def test_http_1_0(self) -> None:
        """A client of HTTP/1.0 gets a response with a length, and the connection is closed."""
        connection = self.connect()
        connection.send(b"GET /v2/ HTTP/1.0\r\n\r\n")
        answer = connection.received()
        self.assertTrue(answer.startswith(b"HTTP/1.0 200 OK\r\n"))
        self.assertEqual(parse_response(answer).header("content-length"), "2")
        self.assertTrue(connection.is_closed)

    def test_keeps_alive(self) -> None:
        """TCP keepalive is turned on, so that connections of lost clients end."""
        self.assertTrue(self.connect().transport.keeps_alive)

    def test_no_tcp(self) -> None:
        """A connection over a Unix socket has no keepalive, and works as well."""
        channel = self.site.buildProtocol(UNIXAddress(None))
        assert channel is not None
        transport = StringTransport(peerAddress=UNIXAddress(None))
        channel.makeConnection(transport)
        channel.dataReceived(PING)
        self.clock.advance(0)
        self.assertEqual(parse_response(transport.value()).code, 200)

    def test_nothing_left_behind(self) -> None:
        """A connection that ended leaves no timer running."""
        connection = self.connect()
        connection.send(PING + b"GET /v2/")
        connection.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TimeoutTests(WebTestCase):
    """Tests for idle and slow clients."""

    def setUp(self) -> None:
        """Build a site for a store with one large blob."""
        super().setUp()
        self.file = OpenFile(BLOB)
        self.site = self.make_site(OneContentStore(self.file, len(BLOB)))

    def wait(self, connection: Connection, seconds: float) -> None:
        """Advance the time in steps of a second."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            connection.pump()

    def test_idle(self) -> None:
        """A connection may be idle for 89 seconds, and is closed after 90."""
        connection = self.connect()
        connection.send(PING)
        self.wait(connection, 89)
        self.assertFalse(connection.is_closed)
        self.wait(connection, 1)
        self.assertTrue(connection.is_closed)

    def test_idle_after_answers(self) -> None:
        """Every request restarts the idle timeout."""
        connection = self.connect()
        for _ in range(3):
            self.wait(connection, 80)
            self.assertEqual(connection.request("/v2/").code, 200)

    def test_nothing_ever_sent(self) -> None:
        """A client that never sends a request is disconnected."""
        connection = self.connect()
        self.wait(connection, 90)
        self.assertTrue(connection.is_closed)

    def test_slow_first_line(self) -> None:
        """A request must arrive within 30 seconds, even if bytes keep arriving."""
        connection = self.connect()
        for byte in b"GET /v2/" + b"x" * 21:
            self.assertFalse(connection.is_closed)
            connection.send(bytes([byte]))
            self.wait(connection, 1)
        self.wait(connection, 1)
        self.assertTrue(connection.is_closed)

    def test_slow_header(self) -> None:
        """A header that never ends does not keep a connection open."""
        connection = self.connect()
        connection.send(b"GET /v2/ HTTP/1.1\r\n")
        for number in range(30):
            self.assertFalse(connection.is_closed)
            connection.send(b"X-%d: 1\r\n" % number)
            self.wait(connection, 1)
        self.assertTrue(connection.is_closed)

    def test_slow_body(self) -> None:
        """A body that never ends does not either."""
        connection = self.connect()
        connection.send(b"POST /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(30):
            self.assertFalse(connection.is_closed)
            connection.send(b"x")
            self.wait(connection, 1)
        self.assertTrue(connection.is_closed)

    def test_slow_second_request(self) -> None:
        """The limit applies to a request whose beginning arrived with the one before."""
        connection = self.connect()
        connection.send(PING + b"GET /v2/ HT")
        self.wait(connection, 15)
        connection.send(b"T")
        self.wait(connection, 14)
        connection.send(b"P")
        self.assertFalse(connection.is_closed)
        self.wait(connection, 1)
        self.assertTrue(connection.is_closed)

    def test_in_time(self) -> None:
        """Requests that arrive within 30 seconds are answered."""
        connection = self.connect()
        for _ in range(3):
            connection.send(PING[:10])
            self.wait(connection, 29)
            connection.send(PING[10:])
            self.assertEqual(parse_response(connection.received()).code, 200)

    def test_stray_line(self) -> None:
        """An empty line after a body, which some clients send, does not begin a request."""
        connection = self.connect()
        connection.send(b"POST /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1\r\n")
        self.wait(connection, 60)
        self.assertFalse(connection.is_closed)

    def test_slow_answer(self) -> None:
        """A client may accept a large response slowly, if it keeps accepting some of it."""
        connection = self.connect(reads=False)
        connection.send(BLOB_REQUEST)
        received = b""
        for _ in range(12):
            self.wait(connection, 250)
            received += connection.transport.take(200_000)
        self.assertEqual(parse_response(received).body, BLOB)

    def test_stalled(self) -> None:
        """A client that accepts nothing of a response for five minutes is disconnected."""
        connection = self.connect(reads=False)
        connection.send(BLOB_REQUEST)
        self.wait(connection, 299)
        self.assertFalse(connection.is_closed)
        self.wait(connection, 1)
        self.assertTrue(connection.is_closed)
        self.assertTrue(self.file.closed)
        (event,) = self.logged("request")
        self.assertEqual(event["failure"], "the client did not accept the response")

    def test_stalled_with_more_requests(self) -> None:
        """The timeout also applies to a client that has sent its next request already."""
        connection = self.connect(reads=False)
        connection.send(PING * 400 + BLOB_REQUEST)
        self.wait(connection, 300)
        self.assertTrue(connection.is_closed)
        self.assertTrue(self.file.closed)

    def test_stalled_end(self) -> None:
        """The timeout also applies to a client that does not accept the last bytes."""
        connection = self.connect(reads=False)
        connection.send(write_request("/v2/", headers={"connection": "close"}))
        self.wait(connection, 299)
        self.assertFalse(connection.is_closed)
        self.wait(connection, 1)
        self.assertTrue(connection.is_closed)

    def test_blocked_is_not_idle(self) -> None:
        """A connection is not idle while its client still accepts a response."""
        connection = self.connect(reads=False)
        connection.send(PING * 400)
        self.wait(connection, 299)
        connection.reads = True
        connection.pump()
        self.assertEqual(connection.received().count(b"HTTP/1.1 200 OK"), 400)
        self.wait(connection, 61)
        self.assertTrue(connection.is_closed)

    def test_stalled_idle(self) -> None:
        """A connection that is closed because it was idle does not wait for its client either."""
        connection = self.connect(reads=False)
        connection.send(PING)
        self.wait(connection, 389)
        self.assertFalse(connection.is_closed)
        self.wait(connection, 1)
        self.assertTrue(connection.is_closed)

    def test_long_look(self) -> None:
        """A request that waits for the disk is neither idle nor slow."""
        threads = ManualThreads()
        store = OneContentStore(OpenFile(b"x"), 1)
        self.site = self.make_site(store, in_thread=threads, timeout=1000)
        connection = self.connect()
        connection.send(BLOB_REQUEST)
        self.wait(connection, 400)
        threads.run()
        connection.pump()
        self.assertEqual(parse_response(connection.received()).body, b"x")


class ReadingAheadTests(WebTestCase):
    """Tests for clients that send requests while they do not read responses."""

    def flood(self, connection: Connection) -> int:
        """Send as much as the registry accepts, up to 10 MB; return how much that was."""
        sent = 0
        while sent < 10_000_000 and connection.transport.is_reading:
            connection.send(bytes(10_000))
            sent += 10_000
        return sent

    def test_while_waiting_for_disk(self) -> None:
        """Data that arrives during a disk access is buffered up to a limit; then reading stops."""
        self.site = self.make_site(OneContentStore(OpenFile(b"x"), 1), in_thread=ManualThreads())
        connection = self.connect()
        connection.send(BLOB_REQUEST)
        self.assertLess(self.flood(connection), 100_000)

    def test_while_not_reading(self) -> None:
        """A client that accepts nothing cannot fill the memory with requests."""
        self.site = self.make_site(OneContentStore(OpenFile(BLOB), len(BLOB)))
        connection = self.connect(reads=False)
        connection.send(BLOB_REQUEST)
        self.assertLess(self.flood(connection), 100_000)

    def test_read_on(self) -> None:
        """Once a response is accepted, the requests that arrived meanwhile are answered too."""
        self.site = self.make_site(OneContentStore(OpenFile(BLOB), len(BLOB)))
        connection = self.connect(reads=False)
        connection.send(BLOB_REQUEST)
        connection.send(PING * 1000)
        self.assertFalse(connection.transport.is_reading)
        connection.reads = True
        connection.pump()
        self.assertEqual(connection.received().count(b"HTTP/1.1 200 OK"), 1001)
        self.assertTrue(connection.transport.is_reading)

    def test_answers_pile_up(self) -> None:
        """No data is read from a client that sends requests and accepts no responses."""
        connection = self.connect(reads=False)
        sent = 0
        while connection.transport.is_reading and sent < 100:
            connection.send(PING * 100)
            sent += 1
        self.assertLess(sent, 10)
        connection.reads = True
        connection.pump()
        self.assertEqual(connection.received().count(b"HTTP/1.1 200 OK"), 100 * sent)


class DeadlineTests(SynchronousTestCase):
    """Tests for ``Deadline``."""

    def setUp(self) -> None:
        """Create a deadline that counts how often it expires."""
        self.clock = Clock()
        self.missed: list[float] = []
        self.deadline = Deadline(self.clock, lambda: self.missed.append(self.clock.seconds()))

    def assert_missed(self, *times: float) -> None:
        """Let time pass, and return when the deadline expired."""
        self.clock.pump([0.125] * 1000)
        self.assertEqual(self.missed, list(times))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_missed(self) -> None:
        """A deadline that is not cleared expires once."""
        self.deadline.set(3)
        self.assertTrue(self.deadline.is_set)
        self.assert_missed(3)
        self.assertFalse(self.deadline.is_set)

    def test_cleared(self) -> None:
        """A deadline that is cleared in time does not expire."""
        self.deadline.set(3)
        self.deadline.clear()
        self.assertFalse(self.deadline.is_set)
        self.assert_missed()

    def test_later(self) -> None:
        """A deadline that is set again expires later."""
        self.deadline.set(3)
        self.clock.advance(2)
        self.deadline.set(3)
        self.clock.advance(2)
        self.deadline.clear()
        self.deadline.set(4)
        self.assert_missed(8)

    def test_sooner(self) -> None:
        """A deadline that is set to an earlier time expires then, and only then."""
        self.deadline.set(30)
        self.deadline.set(2)
        self.assert_missed(2)

    def test_few_calls(self) -> None:
        """However often a deadline is set, there is one delayed call."""
        for _ in range(100):
            self.deadline.set(3)
            self.deadline.clear()
            self.clock.advance(0.0125)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assert_missed()

    def test_ended(self) -> None:
        """A deadline that has ended leaves no delayed call."""
        self.deadline.end()
        self.deadline.set(3)
        self.deadline.end()
        self.assertFalse(self.deadline.is_set)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assert_missed()
