"""Connections whose responses are produced no faster than the client accepts them."""

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from minreg.web.request import NOT_TAKEN, RegistryRequest
from minreg.web.twisted_private import TwistedChannel

STALL_TIMEOUT = 300
"""Seconds that a client may take to accept the next piece of a response, or its end."""


class Deadline:
    """Calls a function unless it is cleared in time.

    Deadlines are set and cleared with every request and hardly ever expire. So setting one only
    notes the time; the reactor gets a single delayed call, which is scheduled again if the
    deadline has moved when it fires.

    Args:
        clock: Measures the time.
        expired: The function to call.
    """

    def __init__(self, clock: IReactorTime, expired: Callable[[], None]) -> None:
        self._clock = clock
        self._expired = expired
        self._until: float | None = None
        self._call_time = 0.0
        self._call: IDelayedCall | None = None

    @property
    def is_set(self) -> bool:
        """Whether the deadline is running."""
        return self._until is not None

    def set(self, seconds: float) -> None:
        """Start the deadline: it expires in ``seconds``, whatever was set before."""
        self._until = self._clock.seconds() + seconds
        if self._call is None:
            self._schedule(seconds)
        elif self._until < self._call_time:
            self._call.cancel()
            self._schedule(seconds)

    def clear(self) -> None:
        """Stop the deadline. It can be set again."""
        self._until = None

    def end(self) -> None:
        """Stop the deadline for good, and leave nothing behind in the reactor."""
        self._until = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _schedule(self, seconds: float) -> None:
        self._call = self._clock.callLater(seconds, self._fire)
        self._call_time = self._call.getTime()

    def _fire(self) -> None:
        self._call = None
        if self._until is None:
            return
        if self._until > self._call_time:
            self._schedule(max(0.0, self._until - self._clock.seconds()))
            return
        self._until = None
        self._expired()


class ClockSite(Protocol):
    """The site of a connection, as far as time is concerned."""

    reactor: IReactorTime


class BackpressureChannel(TwistedChannel):
    """A connection on which responses are produced as fast as the client accepts them.

    Twisted's own pausing has gaps: a producer that is registered while the client accepts
    nothing is not paused, one that is paused twice is never resumed, and requests are read
    and queued while responses pile up.
    """

    site: ClockSite

    transport: ITCPTransport
    requests: list[RegistryRequest]
    _is_blocked = False

    def connectionMade(self) -> None:
        """Start the connection's timers."""
        self._stall_deadline = Deadline(self.site.reactor, lambda: self.abort(NOT_TAKEN))
        self._idle_deadline = Deadline(self.site.reactor, self.timeoutConnection)
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop the timers."""
        super().connectionLost(reason)
        self._stall_deadline.end()
        self._idle_deadline.end()

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        """Register what produces a response, and pause it while the client accepts nothing."""
        super().registerProducer(producer, streaming)
        if self._is_blocked:
            super().pauseProducing()

    def pauseProducing(self) -> None:
        """Pause the producer: the client has to accept what was sent first."""
        if self._is_blocked:
            return
        self._is_blocked = True
        self._stall_deadline.set(STALL_TIMEOUT)
        super().pauseProducing()

    def expect_progress(self) -> None:
        """Give the client ``STALL_TIMEOUT`` from now on to accept more of a response.

        For bytes that bypass the transport, which therefore cannot pause their producer.
        """
        if not self._is_blocked:
            self._stall_deadline.set(STALL_TIMEOUT)

    def resumeProducing(self) -> None:
        """Resume the producer: there is room again."""
        self._is_blocked = False
        self._stall_deadline.clear()
        super().resumeProducing()

    def setTimeout(self, period: int | None) -> int | None:
        """Set how many seconds the connection may be idle.

        Twisted would schedule a delayed call each time.

        Returns:
            The seconds that were set before, or None.
        """
        before, self.timeOut = self.timeOut, period
        if period is None:
            self._idle_deadline.clear()
        else:
            self._idle_deadline.set(period)
        return before

    def resetTimeout(self) -> None:
        """Restart the idle timeout if it is running."""
        if self._idle_deadline.is_set and self.timeOut is not None:
            self._idle_deadline.set(self.timeOut)

    def timeoutConnection(self) -> None:
        """Close an idle connection. One whose client still has bytes to accept is not idle."""
        if self._is_blocked:
            self.setTimeout(self.timeOut)
        else:
            self.loseConnection()

    def abort(self, failure: str) -> None:
        """Close the connection at once, in the middle of whatever it is doing.

        Args:
            failure: The reason, for the access log.
        """
        for request in self.requests:
            request.failure = failure
        self.transport.abortConnection()
