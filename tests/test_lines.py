"""Tests for ``minreg.web.fastpath.batching``."""

import io

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.fastpath.batching import BufferedLog


class Stream(io.StringIO):
    """A stream that knows how it was written to."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str, /) -> int:
        """Note what is written at once."""
        if text:
            self.pieces.append(text)
        return len(text)


class BatchedLinesTests(SynchronousTestCase):
    """Tests for ``BufferedLog``."""

    def setUp(self) -> None:
        """Have a reactor that runs."""
        self.reactor = MemoryReactorClock()
        self.reactor.running = True
        self.stream = Stream()
        self.lines = BufferedLog(self.stream, self.reactor)

    def log(self, line: str) -> None:
        """Log a line, as an observer does."""
        self.lines.write(line)
        self.lines.flush()

    def test_turn(self) -> None:
        """The lines of one turn go out together, before the next one."""
        for turn in ("first\n", "second\n"):
            self.log(turn)
            self.log("more\n")
            self.reactor.advance(0)
        self.assertEqual(self.stream.pieces, ["first\nmore\n", "second\nmore\n"])

    def test_many(self) -> None:
        """No more than a pipe takes as one goes out together, and only whole lines."""
        line = "ü" * 500 + "\n"
        for _ in range(10):
            self.log(line)
        self.reactor.advance(0)
        self.assertEqual("".join(self.stream.pieces), line * 10)
        self.assertTrue(all(len(piece.encode()) <= 4096 for piece in self.stream.pieces))
        self.assertTrue(all(piece.endswith("\n") for piece in self.stream.pieces))

    def test_long(self) -> None:
        """A line that is longer than that goes out by itself."""
        self.log("short\n")
        self.log("x" * 5000 + "\n")
        self.reactor.advance(0)
        self.assertEqual([len(piece) for piece in self.stream.pieces], [6, 5001])

    def test_not_running(self) -> None:
        """Before the reactor runs, and when it does no longer, lines go out at once."""
        self.reactor.running = False
        self.log("start\n")
        self.assertEqual(self.stream.pieces, ["start\n"])

    def test_shutdown(self) -> None:
        """The last turn's lines go out at the end."""
        self.log("stopped\n")
        for call in self.reactor.triggers["after"]["shutdown"]:
            trigger, args, kwargs = call
            trigger(*args, **kwargs)
        self.assertEqual(self.stream.pieces, ["stopped\n"])
