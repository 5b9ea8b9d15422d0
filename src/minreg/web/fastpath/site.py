"""A site that answers repeated requests from a cache and batches what it sends.

Nothing depends on this folder but the two places that construct ``FastSite`` and
``BufferedLog``. Without it, ``RegistrySite`` gives the same responses, more slowly:
``tests/test_web_fastpath_same.py`` compares both, to the byte.
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from minreg.web.channel import RegistryChannel
from minreg.web.fastpath.batching import WriteBatcher, send_now
from minreg.web.fastpath.response_cache import ResponseCache, is_cacheable
from minreg.web.request import RegistryRequest, name_client
from minreg.web.resource import RegistryResource
from minreg.web.site import RegistrySite, RequestObserver

_CACHEABLE_STATUSES = frozenset({200, 304})


class FastChannel(RegistryChannel):
    """A connection that looks for a cached response before it parses a request.

    A response may be held back until the reactor's iteration ends. It is sent before anything
    else is received, sent or refused on the connection, and before the connection is closed.
    """

    site: "FastSite"
    _received = b""  # the bytes of the request being answered, if it arrived alone and whole
    _sent: list[bytes]  # the bytes of the response to it
    _unsent = b""  # bytes that are held back
    _client = ""  # the client's name for the log, once it is needed

    def dataReceived(self, data: bytes) -> None:
        """Send the cached response to a request if there is one; otherwise parse it."""
        self.flush()
        self._received = b""
        if not self.has_unparsed_input and self._accepts_requests():
            response = self.site.response_cache.find(data)
            if response is not None:
                self._is_new = False
                self.resetTimeout()
                self._client = self._client or name_client(self.getPeer())
                self.site.access_log.publish(response.record_for(self._client))
                self._hold(response.to_bytes())
                return
            self._received, self._sent = data, []
        super().dataReceived(data)

    def _accepts_requests(self) -> bool:
        """Return whether a request may be answered now, as the next one of this connection."""
        return not (self.requests or self._is_closing or self._is_last or self._is_blocked)

    def allContentReceived(self) -> None:
        """Start to answer a request. If more has arrived behind it, it was not alone."""
        if self.has_unparsed_input:
            self._received = b""
        super().allContentReceived()

    def requestDone(self, request: RegistryRequest) -> None:
        """Cache the response if it may be sent again."""
        if (
            self._received
            and request.is_current is not None
            and request.code in _CACHEABLE_STATUSES
            and request.clientproto == b"HTTP/1.1"
            and is_cacheable(request.requestHeaders)
        ):
            self.site.response_cache.store(
                self._received, b"".join(self._sent), request.make_record(0.0), request.is_current
            )
        self._received = b""
        super().requestDone(request)

    def write_head(self, head: bytes) -> None:
        """Hold back the head of a response, unless a producer makes its body."""
        if self._received and self.requests[0].producer is None:
            self._sent.append(head)
            self._hold(head)
        else:
            super().write_head(head)

    def write(self, data: bytes) -> None:
        """Send a part of a response's body; the first one goes with its head."""
        if self._received and self.requests[0].is_current is not None:
            self._sent.append(data)
        if self._unsent:
            self._unsent += data
        else:
            super().write(data)

    def writeSequence(self, iovec: Sequence[bytes]) -> None:
        """Send a part of a response's body that is made of several pieces."""
        self.write(b"".join(iovec))

    def _hold(self, content: bytes) -> None:
        """Send bytes when the reactor's iteration ends."""
        self.site.write_batcher.add(self)
        self._unsent += content

    def flush(self) -> None:
        """Send what is held back."""
        unsent, self._unsent = self._unsent, b""
        if unsent:
            send_now(self.transport, unsent)

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        """Send the head before a producer makes the body."""
        self.flush()
        super().registerProducer(producer, streaming)

    def refuse(self, error: Any) -> None:
        """Send what is held back before the refusal."""
        self.flush()
        super().refuse(error)

    def loseConnection(self) -> None:
        """Send what is held back before the connection is closed."""
        self.flush()
        super().loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Drop what is held back."""
        self._unsent = b""
        super().connectionLost(reason)


class FastSite(RegistrySite):
    """A site with ``FastChannel`` connections; the arguments are those of ``RegistrySite``."""

    protocol = FastChannel

    def __init__(
        self,
        resource: RegistryResource,
        reactor: IReactorTime,
        most_connections: int,
        observers: Sequence[RequestObserver] = (),
    ) -> None:
        super().__init__(resource, reactor, most_connections, observers)
        self.write_batcher = WriteBatcher(reactor)
        self.response_cache = ResponseCache(reactor, self.notify_observers)

    def update_observers(self) -> None:
        """Report the requests that were answered from the cache."""
        self.response_cache.report()
