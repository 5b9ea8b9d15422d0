"""Tests for ``minreg.web.fastpath``: batching of responses and of lines of the log."""

import io

from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from minreg.store.tree import RegistryTree
from minreg.web.fastpath import BufferedLog, FastChannel, send_now
from tests.support import (
    ALIASES,
    Connection,
    WebTestCase,
    parse_response,
    parse_responses,
    write_request,
)
from tests.transports import CLIENT, KernelTransport


class Stream(io.StringIO):
    """A stream that records how it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str, /) -> int:
        """Record what is written with one call."""
        if text:
            self.pieces.append(text)
        return len(text)


class BufferedLogTests(SynchronousTestCase):
    """Tests for ``BufferedLog``."""

    def setUp(self) -> None:
        """Create a running reactor."""
        self.reactor = MemoryReactorClock()
        self.reactor.running = True
        self.stream = Stream()
        self.lines = BufferedLog(self.stream, self.reactor)

    def log(self, line: str) -> None:
        """Log a line, as an observer does."""
        self.lines.write(line)
        self.lines.flush()

    def test_turn(self) -> None:
        """The lines of one iteration are written together, before the next iteration."""
        for turn in ("first\n", "second\n"):
            self.log(turn)
            self.log("more\n")
            self.reactor.advance(0)
        self.assertEqual(self.stream.pieces, ["first\nmore\n", "second\nmore\n"])

    def test_many(self) -> None:
        """At most the size of a pipe's buffer is written together, and only whole lines."""
        line = "ü" * 500 + "\n"
        for _ in range(10):
            self.log(line)
        self.reactor.advance(0)
        self.assertEqual("".join(self.stream.pieces), line * 10)
        self.assertTrue(all(len(piece.encode()) <= 4096 for piece in self.stream.pieces))
        self.assertTrue(all(piece.endswith("\n") for piece in self.stream.pieces))

    def test_long(self) -> None:
        """A longer line is written by itself."""
        self.log("short\n")
        self.log("x" * 5000 + "\n")
        self.reactor.advance(0)
        self.assertEqual([len(piece) for piece in self.stream.pieces], [6, 5001])

    def test_not_running(self) -> None:
        """Before the reactor runs, and after it has stopped, each line is written at once."""
        self.reactor.running = False
        self.log("start\n")
        self.assertEqual(self.stream.pieces, ["start\n"])

    def test_shutdown(self) -> None:
        """The lines of the last iteration are written at shutdown."""
        self.log("stopped\n")
        for call in self.reactor.triggers["after"]["shutdown"]:
            trigger, args, kwargs = call
            trigger(*args, **kwargs)
        self.assertEqual(self.stream.pieces, ["stopped\n"])


class SendNowTests(WebTestCase):
    """Tests for ``send_now``, on a connection with a socket."""

    def setUp(self) -> None:
        """Connect a client."""
        super().setUp()
        channel = self.site.buildProtocol(CLIENT)
        assert isinstance(channel, Protocol)
        self.channel = channel
        self.transport = KernelTransport(channel, self.clock, -1)
        channel.makeConnection(self.transport)

    def test_room(self) -> None:
        """What the socket accepts is sent at once, and the rest by the transport."""
        for room in (None, 0, 3):
            self.transport.socket.room = room
            self.transport.waiting.clear()
            send_now(self.transport, b"response")
            self.assertEqual(bytes(self.transport.waiting), b"response")

    def test_order(self) -> None:
        """If the transport still has data, that is sent first."""
        self.transport.dataBuffer = b"head"
        self.transport.socket.room = 0
        send_now(self.transport, b"response")
        self.assertEqual(bytes(self.transport.waiting), b"response")

    def test_response(self) -> None:
        """A response is sent with ``send_now``."""
        self.channel.dataReceived(write_request("/v2/"))
        self.clock.advance(0)
        self.assertEqual(parse_response(bytes(self.transport.waiting)).body, b"{}")


PING = write_request("/v2/")


class TogetherTests(WebTestCase):
    """Tests for what is sent in one iteration of the reactor."""

    def arrive(self, *requests: bytes) -> Connection:
        """Let requests arrive on a connection, one per read, in the current iteration."""
        connection = self.connect()
        for request in requests:
            connection.channel.dataReceived(request)
        return connection

    def answers(self, connection: Connection) -> list[int]:
        """End the iteration, and return the statuses of the responses."""
        connection.pump()
        return [response.code for response in parse_responses(connection.received())]

    def test_end_of_turn(self) -> None:
        """Responses on all connections are sent at the end of the iteration."""
        first, second = self.connect(), self.connect()
        first.channel.dataReceived(PING)
        second.channel.dataReceived(PING)
        self.assertEqual((first.transport.waiting, second.transport.waiting), (b"", b""))
        self.clock.advance(0)
        self.assertTrue(first.transport.waiting)
        self.assertTrue(second.transport.waiting)
        self.assertEqual((self.answers(first), self.answers(second)), ([200], [200]))

    def test_many(self) -> None:
        """At most a few dozen responses are held back together."""
        self.site = self.make_site(RegistryTree(self.root, ALIASES), most_connections=130)
        connections = [self.connect() for _ in range(130)]
        for connection in connections:
            connection.channel.dataReceived(PING)
        waiting = [bool(connection.transport.waiting) for connection in connections]
        self.assertEqual(waiting, [True] * 128 + [False] * 2)
        for connection in connections:
            self.assertEqual(self.answers(connection), [200])

    def test_two_reads(self) -> None:
        """A connection that is read twice in an iteration, as with TLS, keeps the order."""
        nowhere = write_request("/nowhere")
        connection = self.arrive(PING, nowhere[:9], nowhere[9:], PING)
        self.assertEqual(self.answers(connection), [200, 404, 200])

    def test_streamed(self) -> None:
        """The head of a response is sent before a producer makes the body."""
        connection = self.connect()
        channel = connection.channel
        assert isinstance(channel, FastChannel)
        channel._hold(b"head")
        connection.channel.registerProducer(object(), streaming=True)
        self.assertEqual(connection.transport.waiting, b"head")

    def test_refused(self) -> None:
        """A refusal is sent after the response before it."""
        self.assertEqual(self.answers(self.arrive(PING, b"nonsense\r\n\r\n")), [200, 400])

    def test_stopped(self) -> None:
        """A response that is held back is sent before the registry stops."""
        connection = self.arrive(PING)
        self.site.drain(30)
        self.assertEqual(self.answers(connection), [200])
        self.assertTrue(connection.is_closed)

    def test_left(self) -> None:
        """A client that leaves in the same iteration is sent nothing."""
        connection = self.arrive(PING)
        connection.leave()
        self.assertEqual(connection.transport.waiting, b"")
