"""One connection: its limits, and how it ends."""

from http import HTTPStatus
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, datetimeToString

from minreg.errors import RegistryError, unavailable
from minreg.web.request import API_VERSION, SERVER, RegistryRequest

RECEIVE_TIMEOUT = 30
"""Seconds within which a request must have arrived, counted from its first byte."""

STALL_TIMEOUT = 300
"""Seconds that a client may take to accept the next piece of an answer."""

_BROKEN = RegistryError(400, "UNSUPPORTED", "this is not a request of HTTP/1.1")
_ENCRYPTED = RegistryError(
    400, "UNSUPPORTED", "this port does not speak TLS: ask it with http:// and not https://"
)
_TARGET_TOO_LONG = RegistryError(414, "UNSUPPORTED", "the request's URL is too long")
_HEADER_TOO_LARGE = RegistryError(431, "UNSUPPORTED", "the request's header is too large")


_HANDSHAKE = 22
"""The first byte of a TLS connection (RFC 8446, section 5.1); no request begins with it."""


class Connections(Protocol):
    """What a connection tells its site."""

    def admit(self, channel: "RegistryChannel") -> bool:
        """Count a connection, and tell whether it is not one too many."""

    def forget(self, channel: "RegistryChannel") -> None:
        """Count a connection no longer."""

    def log_refusal(self, channel: "RegistryChannel", error: RegistryError, size: int) -> None:
        """Log what was refused before it had become a request."""


class RegistryChannel(HTTPChannel):
    """A connection of HTTP/1.1 that neither a slow nor a silent client can hold for ever."""

    site: Connections
    transport: ITCPTransport
    requests: list[RegistryRequest]
    is_answering = False
    _is_refused = False
    _is_new = True
    _arrived = 0
    _deadline: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Begin, or say at once that there are too many connections already."""
        super().connectionMade()
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
        if not self.site.admit(self):
            self.refuse(unavailable("too many connections are open: try again"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the connection."""
        self._set_deadline(None)
        super().connectionLost(reason)
        self.site.forget(self)

    def dataReceived(self, data: bytes) -> None:
        """Receive a part of a request; the rest of it must follow in time."""
        is_new, self._is_new = self._is_new, False
        if is_new and data[0] == _HANDSHAKE:
            # Nothing in it ends a line: a client that tries TLS first would wait in vain.
            self.refuse(_ENCRYPTED)
            return
        arrived = self._arrived
        super().dataReceived(data)
        if self._arrived == arrived and not self.is_answering and self._deadline is None:
            self._set_deadline(RECEIVE_TIMEOUT)

    def allContentReceived(self) -> None:
        """Begin to answer."""
        self._set_deadline(None)
        self._arrived += 1
        self.is_answering = True
        super().allContentReceived()

    def requestDone(self, request: RegistryRequest) -> None:
        """Go on to the next request, if the connection lives on."""
        self.is_answering = False
        super().requestDone(request)

    def pauseProducing(self) -> None:
        """Wait for the client to take what was sent."""
        super().pauseProducing()
        self._set_deadline(STALL_TIMEOUT)

    def resumeProducing(self) -> None:
        """Send on."""
        self._set_deadline(None)
        super().resumeProducing()

    def timeoutConnection(self) -> None:
        """End a connection on which nothing has happened for long."""
        self.loseConnection()
        self._set_deadline(self.abortTimeout)

    def lineLengthExceeded(self, _line: bytes) -> None:
        """Refuse a line that is longer than any that makes sense."""
        self.refuse(_HEADER_TOO_LARGE if self.requests else _TARGET_TOO_LONG)

    def _respondToBadRequestAndDisconnect(self) -> None:
        """Refuse what is no HTTP. Twisted has no public place to say how."""
        too_large = (
            self._receivedHeaderSize > self.totalHeadersSize
            or self._receivedHeaderCount > self.maxHeaders
        )
        self.refuse(_HEADER_TOO_LARGE if too_large else _BROKEN)

    def refuse(self, error: RegistryError) -> None:
        """Answer instead of a resource, and close the connection."""
        if self._is_refused:
            return
        self._is_refused = True
        body = error.document()
        head = (
            b"HTTP/1.1 %d %s\r\nServer: %s\r\nDate: %s\r\n"
            b"Docker-Distribution-API-Version: %s\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        )
        reason = HTTPStatus(error.status).phrase.encode("ascii")
        values = (error.status, reason, SERVER, datetimeToString(), API_VERSION, len(body))
        self.transport.write(head % values + body)
        self.site.log_refusal(self, error, len(body))
        self.loseConnection()
        self._set_deadline(self.abortTimeout)

    def _set_deadline(self, seconds: float | None) -> None:
        """Abort the connection in so many seconds, instead of at any time set before."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = self.callLater(seconds, self._abort)

    def _abort(self) -> None:
        self._deadline = None
        self.transport.abortConnection()
