"""One connection: its limits, and how it ends."""

from typing import Protocol

from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from minreg.oci.errors import (
    RegistryError,
    header_too_large,
    not_encrypted,
    not_http,
    size_invalid,
    target_too_long,
    unavailable,
)
from minreg.web.backpressure import STALL_TIMEOUT, BackpressureChannel, BackpressureSite, Deadline
from minreg.web.fastpath.request_parser import parse_simple_request
from minreg.web.request import RegistryRequest
from minreg.web.responses import format_head, format_refusal

RECEIVE_TIMEOUT = 30
"""Seconds within which a request must have arrived, counted from its first byte."""

LAST_REQUEST_TIMEOUT = 2
"""Seconds that a request has to arrive when the registry stops, or a new connection's first."""

LARGEST_BODY = 64 * 1024
"""Bytes of a request's body that are received, and dropped; more is refused."""

_HANDSHAKE = b"\x16"
"""The first byte of a TLS connection (RFC 8446, section 5.1); no request begins with it."""


class CachedResponses(Protocol):
    """What a connection asks first."""

    def find(self, asked: bytes, client: IAddress) -> bytes | None:
        """Find the answer to a request that has been answered before."""


class ConnectionTracker(BackpressureSite, Protocol):
    """What a connection tells its site."""

    shortcut: "CachedResponses"

    def admit(self, channel: "RegistryChannel") -> bool:
        """Count a connection, and tell whether it is not one too many."""

    def forget(self, channel: "RegistryChannel") -> None:
        """Count a connection no longer."""

    def log_refusal(self, channel: "RegistryChannel", error: RegistryError, size: int) -> None:
        """Log what was refused before it had become a request."""


class RegistryChannel(BackpressureChannel):
    """A connection of HTTP/1.1 that neither a slow nor a silent client can hold for ever.

    Twisted has no public place for some of this.
    """

    site: ConnectionTracker
    requestFactory: type[RegistryRequest]
    is_answering = False
    _is_new = True
    _is_at_rest = True
    _asked = b""
    _peer: IAddress | None = None
    _host: IAddress | None = None
    _is_closing = False
    _is_last = False

    def connectionMade(self) -> None:
        """Begin, or say at once that there are too many connections already."""
        self._arrival = Deadline(
            self.site.reactor, lambda: self.abort("the request did not arrive in time")
        )
        super().connectionMade()
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
        if not self.site.admit(self):
            self.refuse(unavailable("too many connections are open: try again"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the connection."""
        self._is_closing = True
        self._arrival.end()
        super().connectionLost(reason)
        self.site.forget(self)

    def dataReceived(self, data: bytes) -> None:
        """Receive a part of a request; the rest of it must follow in time."""
        is_new, self._is_new = self._is_new, False
        if is_new and data.startswith(_HANDSHAKE):
            # Nothing in it ends a line: a client that tries TLS first would wait in vain.
            self.refuse(not_encrypted())
        if self._is_closing:
            return
        self.send_held()
        self._asked = b""
        if self._is_at_rest and not (self._is_blocked or self._is_last):
            answer = self.site.shortcut.find(data, self.getPeer())
            if answer is not None:
                self.resetTimeout()
                self.hold(answer)
                return
            self._asked = data
        self._is_at_rest = False
        if not (self._asked and self._receive_plain(data)):
            super().dataReceived(data)
        if self._is_blocked:
            self._networkProducer.pauseProducing()
        elif not self._has_begun():
            self._arrival.clear()
        elif not self._arrival.is_set:
            self._arrival.set(RECEIVE_TIMEOUT)

    def _receive_plain(self, data: bytes) -> bool:
        """Begin to answer what is here, if that is one plain request."""
        if (plain := parse_simple_request(data)) is None:
            return False
        request = self.requestFactory(self)
        request.requestHeaders = plain.headers
        request.gotLength(0)
        self.requests.append(request)
        self._command, self._path, self._version = plain.method, plain.target, b"HTTP/1.1"
        self.allContentReceived()
        return True

    def _has_begun(self) -> bool:
        """Whether a part of a request is here, and the rest of it is not."""
        is_receiving = not (self.is_answering or self._is_closing)
        return is_receiving and bool(self.requests or self._buffer)

    def headerReceived(self, line: bytes) -> bool:
        """Take a header field; Python refuses to read a number of thousands of digits."""
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            self.refuse(not_http())
            return False

    def allHeadersReceived(self) -> None:
        """Refuse a body that is too long before it is sent."""
        self.check_body(self.length or 0)
        if not self._is_closing:
            super().allHeadersReceived()

    def check_body(self, size: int) -> None:
        """Refuse a request whose body has ``size`` bytes, if that is too much."""
        if size > LARGEST_BODY:
            self.refuse(size_invalid(LARGEST_BODY))

    def allContentReceived(self) -> None:
        """Begin to answer."""
        if self._is_closing:
            return
        self._arrival.clear()
        self.is_answering = True
        if not self._buffer and not any(self._dataBuffer):
            self.requests[-1].asked = self._asked
        self._asked = b""
        super().allContentReceived()

    def checkPersistence(self, request: RegistryRequest, version: bytes) -> bool:
        """Tell whether the connection lives on after this request."""
        if self._is_last:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
            return False
        return bool(super().checkPersistence(request, version))

    def finish(self) -> None:
        """End the connection as soon as nobody loses by it.

        Clients ask again where a connection that they used before ends without an answer,
        but not where that was its first request (net/http of Go, ``shouldRetryRequest``).
        """
        self._is_last = True
        if self.is_answering:
            self.persistent = False
        elif self._is_new or self._has_begun():
            self._arrival.set(LAST_REQUEST_TIMEOUT)
        else:
            self.loseConnection()

    def requestDone(self, request: RegistryRequest) -> None:
        """Go on to the next request, if the connection lives on."""
        self.is_answering = False
        if not self._is_blocked:
            self._acceptance.clear()
        self._is_at_rest = not self._buffer
        super().requestDone(request)

    def getPeer(self) -> IAddress:
        """Name the client. Twisted makes a new address whenever it is asked."""
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> IAddress:
        """Name the registry, as its client does. Twisted asks the kernel every time."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Send an answer's head, and let the request know what it was."""
        request = self.requests[0]
        status_line = b"%s %s %s" % (version, code, reason)
        request.head = format_head(status_line, headers, request.fields)
        if request.asked and request.producer is None:
            self.hold(request.head)
        else:
            self.transport.write(request.head)

    def lineLengthExceeded(self, _line: bytes) -> None:
        """Refuse a line that is longer than any that makes sense."""
        self.refuse(header_too_large() if self.requests else target_too_long())

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Refuse what is no HTTP. Twisted has no public place to say how."""
        too_large = (
            self._receivedHeaderSize > self.totalHeadersSize
            or self._receivedHeaderCount > self.maxHeaders
        )
        self.refuse(header_too_large() if too_large else not_http())

    def refuse(self, error: RegistryError) -> None:
        """Answer instead of a resource, and close the connection."""
        if self._is_closing:
            return
        body = error.document()
        self.transport.write(format_refusal(error.status, body))
        self.site.log_refusal(self, error, len(body))
        self._close(self.abortTimeout)

    def loseConnection(self) -> None:
        """Close the connection once the client has taken all that was sent."""
        self._close(STALL_TIMEOUT)

    def _close(self, patience: float) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._arrival.clear()
            self._acceptance.set(patience)
            self.send_held()
            super().loseConnection()
