"""A time until which something has to happen."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from minreg.web.request import NOT_TAKEN, RegistryRequest
from minreg.web.responses import WriteBatcher, send_now


class Deadline:
    """Calls a function unless it is cleared in time.

    Deadlines are set and cleared with every request, and hardly ever missed. So that is
    only noted; the reactor is asked for one call, which looks what was noted meanwhile.

    Args:
        clock: Measures the time.
        missed: What to call.
    """

    def __init__(self, clock: IReactorTime, missed: Callable[[], None]) -> None:
        self._clock = clock
        self._missed = missed
        self._until: float | None = None
        self._due = 0.0
        self._call: IDelayedCall | None = None

    @property
    def is_set(self) -> bool:
        """Whether the time is running."""
        return self._until is not None

    def set(self, seconds: float) -> None:
        """Let the time run from now on, whatever was set before."""
        self._until = self._clock.seconds() + seconds
        if self._call is None:
            self._expect(seconds)
        elif self._until < self._due:
            self._call.cancel()
            self._expect(seconds)

    def clear(self) -> None:
        """Let the time run no more."""
        self._until = None

    def end(self) -> None:
        """Clear it for good."""
        self._until = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _expect(self, seconds: float) -> None:
        self._call = self._clock.callLater(seconds, self._look)
        self._due = self._call.getTime()

    def _look(self) -> None:
        self._call = None
        if self._until is None:
            return
        if self._until > self._due:
            self._expect(max(0.0, self._until - self._clock.seconds()))
            return
        self._until = None
        self._missed()


STALL_TIMEOUT = 300
"""Seconds that a client may take to accept the next piece of an answer, or its end."""


class BackpressureSite(Protocol):
    """What a connection shares with others."""

    departures: WriteBatcher
    reactor: IReactorTime


class BackpressureChannel(HTTPChannel):
    """A connection on which answers are made as fast as the client takes them.

    Twisted's own pausing has gaps: a producer that is registered while the client takes
    nothing is not paused, one that is paused twice never goes on, and requests are read,
    and kept, while answers pile up.

    An answer may be held until the reactor's turn ends (``hold``). Whatever else arrives, is
    sent, or ends the connection, sends it first.
    """

    site: BackpressureSite

    transport: ITCPTransport
    requests: list[RegistryRequest]
    _is_blocked = False
    _held = b""

    def connectionMade(self) -> None:
        """Begin."""
        self._acceptance = Deadline(self.site.reactor, lambda: self.abort(NOT_TAKEN))
        self._rest = Deadline(self.site.reactor, self.timeoutConnection)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End."""
        self._held = b""
        super().connectionLost(reason)
        self._acceptance.end()
        self._rest.end()

    def hold(self, content: bytes) -> None:
        """Send an answer, or its head, together with those of other connections."""
        is_first = not self._held
        self._held += content
        if is_first:
            self.site.departures.add(self)

    def send_held(self) -> None:
        """Send what is held."""
        held, self._held = self._held, b""
        if held:
            send_now(self.transport, held)

    def write(self, data: bytes) -> None:
        """Send a part of an answer's body; the first one goes with its head."""
        if self._held:
            self._held += data
        else:
            super().write(data)

    def writeSequence(self, iovec: Sequence[bytes]) -> None:
        """Send a part of an answer's body that is made of several pieces."""
        self.write(b"".join(iovec))

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        """Send what a producer makes, once there is room for it."""
        self.send_held()
        super().registerProducer(producer, streaming)
        if self._is_blocked:
            super().pauseProducing()

    def pauseProducing(self) -> None:
        """Wait for the client to take what was sent."""
        if self._is_blocked:
            return
        self._is_blocked = True
        self._acceptance.set(STALL_TIMEOUT)
        super().pauseProducing()

    def expect_progress(self) -> None:
        """Let the time run anew in which the client must take something of an answer.

        For what does not go through the transport, which cannot be paused by it.
        """
        if not self._is_blocked:
            self._acceptance.set(STALL_TIMEOUT)

    def resumeProducing(self) -> None:
        """Send on."""
        self._is_blocked = False
        self._acceptance.clear()
        super().resumeProducing()

    def setTimeout(self, period: int | None) -> int | None:
        """Set how many seconds the connection may be idle; Twisted makes a call each time."""
        before, self.timeOut = self.timeOut, period
        if period is None:
            self._rest.clear()
        else:
            self._rest.set(period)
        return before

    def resetTimeout(self) -> None:
        """Let the time for being idle begin anew, if it runs."""
        if self._rest.is_set and self.timeOut is not None:
            self._rest.set(self.timeOut)

    def timeoutConnection(self) -> None:
        """End a connection that is idle. One that still has an answer to take is not."""
        if self._is_blocked:
            self.setTimeout(self.timeOut)
        else:
            self.loseConnection()

    def abort(self, failure: str) -> None:
        """End the connection at once, whatever is under way on it."""
        for request in self.requests:
            request.failure = failure
        self.transport.abortConnection()
