"""Tests for ``minreg.fill.upstream.pace``."""

import io
from collections.abc import Callable, Iterable
from http.client import HTTPException
from itertools import chain, repeat
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import UpstreamUnavailable
from minreg.fill.upstream.pace import Pace
from tests.memory_network import Coming, MemoryTransport

URL = "http://example.com/v2/a/blobs/x"


class _Slow(io.RawIOBase):
    """Gives bytes, each time so many after so long."""

    def __init__(self, clock: Clock, size: int, seconds: float) -> None:
        self._clock = clock
        self._size = size
        self._seconds = seconds

    def readinto(self, buffer: Any) -> int:
        self._clock.advance(self._seconds)
        buffer[: self._size] = bytes(self._size)
        return self._size


class PaceTests(SynchronousTestCase):
    """Tests for ``Pace``."""

    def setUp(self) -> None:
        """Stop the time."""
        self.clock = Clock()

    def make_pace(self, size: int, seconds: float, limit: float | None = 60) -> Pace:
        """Read a stream that gives so many bytes after so many seconds."""
        return Pace(_Slow(self.clock, size, seconds), limit, self.clock.seconds)

    def read(self, pace: Pace, times: int) -> int:
        """Read so many times, and count the bytes."""
        return sum(len(pace.read(4000) or b"") for _ in range(times))

    def test_steady(self) -> None:
        """A slow server that keeps at it is waited for."""
        self.assertEqual(self.read(self.make_pace(1000, 1), 600), 600_000)

    def test_too_slow(self) -> None:
        """One that is slower is given up when its time is over, and not before."""
        pace = self.make_pace(999, 1)
        self.assertEqual(self.read(pace, 60), 60 * 999)
        failure = self.assertRaises(TimeoutError, pace.read, 1)
        self.assertEqual(str(failure), "less than 1000 bytes a second came")

    def test_fast_once(self) -> None:
        """What came earlier does not count for later."""
        pace = self.make_pace(4000, 1)
        self.read(pace, 60)
        pace._stream = _Slow(self.clock, 1, 1)
        self.read(pace, 60)
        self.assertRaises(TimeoutError, pace.read, 1)

    def test_own_time(self) -> None:
        """The time that the reader takes is not the server's."""
        pace = self.make_pace(1, 0.1)
        for _ in range(500):
            self.clock.advance(100)
            self.read(pace, 1)

    def test_no_limit(self) -> None:
        """Without a time limit there is all the time."""
        self.read(self.make_pace(1, 1000, None), 100)

    def test_too_much(self) -> None:
        """No more is read than is allowed."""
        pace = self.make_pace(1000, 0)
        pace.allowed = 1500
        self.read(pace, 2)
        self.assertRaises(HTTPException, pace.read, 1)


class EndlessTests(SynchronousTestCase):
    """Tests for answers that go on for ever without a byte of content."""

    def read(self, answer: Callable[[], Iterable[Coming]]) -> str:
        """Ask for something, and tell why it fails."""
        transport = MemoryTransport(lambda _: answer())

        def read() -> bytes:
            return transport.read_body(transport.send("GET", URL, {}), URL, 1000)

        return str(self.assertRaises(UpstreamUnavailable, read))

    def test_interim(self) -> None:
        """Interim responses without end are no response."""
        said = self.read(lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"))
        self.assertIn("what comes beside the content does not end", said)

    def test_trailers(self) -> None:
        """Nor are trailers an end."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
        said = self.read(lambda: chain([head], repeat(b"a: b\r\n" * 1000)))
        self.assertIn("what comes beside the content does not end", said)

    def test_chunks(self) -> None:
        """A body of chunks is read as any other, however small they are."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        transport = MemoryTransport(lambda _: [head, *[b"1\r\nx\r\n"] * 50_000, b"0\r\n\r\n"])
        response = transport.send("GET", URL, {})
        self.assertEqual(transport.read_body(response, URL, 50_000), b"x" * 50_000)
