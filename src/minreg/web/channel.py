"""One connection: backpressure, timeouts, the heads of its responses, and how it is closed."""

import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers

from minreg import __version__
from minreg.oci.errors import (
    RegistryError,
    header_too_large,
    not_encrypted,
    not_http,
    size_invalid,
    target_too_long,
    unavailable,
)
from minreg.web.request import NOT_TAKEN, RegistryRequest
from minreg.web.twisted_private import TwistedChannel

STALL_TIMEOUT = 300
"""Seconds that a client may take to accept the next piece of a response, or its end."""

RECEIVE_TIMEOUT = 30
"""Seconds within which a request must have arrived, counted from its first byte."""

LAST_REQUEST_TIMEOUT = 2
"""Seconds that a request has to arrive when the registry stops, or a new connection's first."""

LARGEST_REQUEST_BODY = 64 * 1024
"""Bytes of a request's body that are received, and dropped; more is refused."""

_TLS_HANDSHAKE = b"\x16"
"""The first byte of a TLS connection (RFC 8446, section 5.1); no request begins with it."""


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


class ConnectionTracker(Protocol):
    """The attributes of a site that its connections use."""

    reactor: IReactorTime

    def admit(self, channel: "RegistryChannel") -> bool:
        """Count a connection, and return whether the limit still allows it."""

    def forget(self, channel: "RegistryChannel") -> None:
        """Stop counting a connection."""

    def log_refusal(self, channel: "RegistryChannel", error: RegistryError, size: int) -> None:
        """Log input that was refused before it had become a request."""


class BackpressureChannel(TwistedChannel):
    """A connection on which responses are produced as fast as the client accepts them.

    Twisted's own pausing has gaps: a producer that is registered while the client accepts
    nothing is not paused, one that is paused twice is never resumed, and requests are read
    and queued while responses pile up.
    """

    site: ConnectionTracker
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


class RegistryChannel(BackpressureChannel):
    """A connection of HTTP/1.1 with timeouts for slow and idle clients."""

    requestFactory: type[RegistryRequest]
    is_answering = False
    _is_new = True
    _is_closing = False
    _is_last = False
    _peer: IAddress | None = None
    _host: IAddress | None = None

    def connectionMade(self) -> None:
        """Start the connection, or refuse it at once if too many are open."""
        self._receive_deadline = Deadline(
            self.site.reactor, lambda: self.abort("the request did not arrive in time")
        )
        super().connectionMade()
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
        if not self.site.admit(self):
            self.refuse(unavailable("too many connections are open: try again"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop counting the connection."""
        self._is_closing = True
        self._receive_deadline.end()
        super().connectionLost(reason)
        self.site.forget(self)

    def dataReceived(self, data: bytes) -> None:
        """Receive a part of a request; the rest must follow within ``RECEIVE_TIMEOUT``."""
        is_new, self._is_new = self._is_new, False
        if is_new and data.startswith(_TLS_HANDSHAKE):
            # A handshake has no line break: the client would wait until the timeout.
            self.refuse(not_encrypted())
        if self._is_closing:
            return
        super().dataReceived(data)
        if self._is_blocked:
            self.pause_reading()
        elif not self._is_receiving():
            self._receive_deadline.clear()
        elif not self._receive_deadline.is_set:
            self._receive_deadline.set(RECEIVE_TIMEOUT)

    def _is_receiving(self) -> bool:
        """Return whether a part of a request has arrived, and the rest has not."""
        if self.is_answering or self._is_closing:
            return False
        return bool(self.requests) or self.has_unparsed_input

    def headerReceived(self, line: bytes) -> bool:
        """Accept a header field; Python refuses to parse a number of thousands of digits."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self.refuse_malformed()
            return False

    def allHeadersReceived(self) -> None:
        """Refuse a body that is too long before it is sent."""
        self.check_body(self.length or 0)
        if not self._is_closing:
            super().allHeadersReceived()

    def check_body(self, size: int) -> None:
        """Refuse a request whose body has more than ``LARGEST_REQUEST_BODY`` bytes."""
        if size > LARGEST_REQUEST_BODY:
            self.refuse(size_invalid(LARGEST_REQUEST_BODY))

    def allContentReceived(self) -> None:
        """Start to answer a request that has arrived."""
        if self._is_closing:
            return
        self._receive_deadline.clear()
        self.is_answering = True
        super().allContentReceived()

    def checkPersistence(self, request: RegistryRequest, version: bytes) -> bool:
        """Return whether the connection stays open after this request."""
        if self._is_last:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            return False
        return bool(super().checkPersistence(request, version))

    def finish(self) -> None:
        """Close the connection as soon as the client does not lose a response by it.

        Clients repeat a request if a connection that they have used before closes without a
        response, but not if it was the connection's first request (net/http of Go,
        ``shouldRetryRequest``).
        """
        self._is_last = True
        if self.is_answering:
            self.persistent = False
        elif self._is_new or self._is_receiving():
            self._receive_deadline.set(LAST_REQUEST_TIMEOUT)
        else:
            self.loseConnection()

    def requestDone(self, request: RegistryRequest) -> None:
        """Continue with the next request if the connection stays open."""
        self.is_answering = False
        if not self._is_blocked:
            self._stall_deadline.clear()
        super().requestDone(request)

    def getPeer(self) -> IAddress:
        """Return the client's address. Twisted makes a new object at each call."""
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> IAddress:
        """Return the address that the client connected to. Twisted asks the kernel each time."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Send the head of a response."""
        self.write_head(format_head(b"%b %b %b" % (version, code, reason), headers))

    def write_head(self, head: bytes) -> None:
        """Send the head of a response, which is complete."""
        self.transport.write(head)

    def lineLengthExceeded(self, _line: bytes) -> None:
        """Refuse a line that exceeds Twisted's limit."""
        self.refuse(header_too_large() if self.requests else target_too_long())

    def refuse_malformed(self) -> None:
        """Refuse input that is not HTTP/1.1."""
        self.refuse(header_too_large() if self.is_header_too_large else not_http())

    def refuse(self, error: RegistryError) -> None:
        """Send an error document instead of a resource's response, and close the connection."""
        if self._is_closing:
            return
        body = error.document()
        self.transport.write(format_refusal(error.status, body))
        self.site.log_refusal(self, error, len(body))
        self._close(self.abortTimeout)

    def loseConnection(self) -> None:
        """Close the connection once the client has accepted all that was sent."""
        self._close(STALL_TIMEOUT)

    def _close(self, timeout: float) -> None:
        """Close the connection, and abort it if the client accepts nothing for ``timeout`` s."""
        if not self._is_closing:
            self._is_closing = True
            self._receive_deadline.clear()
            self._stall_deadline.set(timeout)
            super().loseConnection()


_BEFORE_DATE = f"\r\nServer: minreg/{__version__}\r\nDate: ".encode("ascii")
_AFTER_DATE = b"\r\nDocker-Distribution-Api-Version: registry/2.0"


def http_date() -> bytes:
    """Return the current time as the header field ``Date`` has it (RFC 9110, section 5.6.7)."""
    return _format_date(int(time.time()))


@lru_cache(maxsize=1)
def _format_date(second: int) -> bytes:
    return bytes(datetimeToString(second))


def format_head(status_line: bytes, headers: Headers) -> bytes:
    """Return the head of a response, with the fields that all responses have.

    Args:
        status_line: The first line, without its line break.
        headers: The response's own fields.
    """
    parts = [status_line, _BEFORE_DATE, http_date(), _AFTER_DATE]
    for name, values in headers.getAllRawHeaders():
        for value in values:
            parts += (b"\r\n", name, b": ", value)
    parts.append(b"\r\n\r\n")
    return b"".join(parts)


def format_refusal(status: int, body: bytes) -> bytes:
    """Return a complete response to input that did not become a request.

    It is the last response of its connection.
    """
    headers = Headers()
    headers.setRawHeaders(b"connection", [b"close"])
    headers.setRawHeaders(b"content-type", [b"application/json"])
    headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
    reason = HTTPStatus(status).phrase.encode("ascii")
    return format_head(b"HTTP/1.1 %d %s" % (status, reason), headers) + body
