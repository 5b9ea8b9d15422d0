"""Tests for ``minreg.web.fastpath.batching``."""

import io

from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.fastpath.batching import BufferedLog, send_now
from tests.support import WebTestCase, parse_response, write_request
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
