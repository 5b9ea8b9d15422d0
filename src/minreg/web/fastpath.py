"""The fast path: a cache of complete responses, and batched writes.

Nothing depends on this module but the two places that construct ``FastSite`` and ``BufferedLog``.
Without it, ``RegistrySite`` gives the same responses, more slowly: ``tests/test_web_fastpath.py``
compares both, to the byte.

Nodes request the same few manifests and configs over and over, and a client sends the same bytes
each time. So the key of the cache is not a path but the whole request as it arrived. Everything
that decides about a response (path, query, method, every header field) is in those bytes, or on
the disk. Nothing has to be parsed, and nothing can be overlooked when requests are compared. A
request that differs in one byte is answered by the resources, with the same result.

A response is stored when the resources have just produced it. Its status is 200 or 304, its
body has at most 64 KiB, its connection stays open, and the request arrived in one piece while
nothing else happened on its connection. The request has none of the header fields that change
more than the representation (``_UNCACHEABLE``). And the store can tell whether its content is
still current (``Content.is_current``): that looks at every file and directory the response
depends on, with a ``stat`` for each (``minreg.store.cache``).

It is used if the connection is between requests, so that responses keep their order; if the
client accepts what it is sent, so that responses do not pile up; and if the content is current.

All bytes but ``Date`` are the same as without the cache, because only ``Date`` does not depend on
the request and the content. The line in the log, the metrics, and the connection's timeouts are
the same too.

The cache has at most ``capacity`` bytes; the least recently used response is dropped first. A
client whose requests are all different fills the cache with responses that are never used again;
other requests are then answered by the resources.

The responses of one iteration of the reactor are sent together, and so are the lines of the log. A
system call costs a large part of the time of a repeated request. Clients cannot distinguish bytes
that were written at once from bytes that were written before the reactor waits again.
"""

from collections.abc import Callable, Sequence
from typing import Any, TextIO

import attrs
from twisted.internet.interfaces import IReactorTime, ITransport
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from minreg.log import RequestRecord
from minreg.store.cache import ValidatedCache
from minreg.web.channel import RegistryChannel, http_date
from minreg.web.request import RegistryRequest, RegistryResource, name_client
from minreg.web.site import RegistrySite, RequestObserver
from minreg.web.twisted_private import has_unsent

CAPACITY = 8 * 1024 * 1024
"""Bytes of responses, with the requests for them, that are cached.

That is about 1,000 responses with manifests of 4 KiB. More would not help: a response is used
again only within ``minreg.store.cache.MOST_UNUSED`` seconds of its last use.
"""

_OVERHEAD = 4096
"""Bytes that a cached response takes beside its own, about."""

_UNCACHEABLE = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"if-match",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"keep-alive",
        b"range",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

_MOST_CLIENTS = 64
_MOST_UNREPORTED = 1000

_CACHEABLE_STATUSES = frozenset({200, 304})

_LARGEST_BATCH = 64
"""Connections whose responses are sent together: each may have one of 64 KiB in memory."""

_PIPE_BUFFER = 4096
"""Bytes that a pipe accepts in one piece, even with several writers (PIPE_BUF, pipe(7))."""


@attrs.define(eq=False)
class CachedResponse:
    """A response, and how often it was sent since that was last reported.

    ``records`` has the access log's record for each client, which keeps its formatted line.
    """

    _before_date: bytes
    _after_date: bytes
    record: RequestRecord
    unreported: int = 0
    _records: dict[str, RequestRecord] = attrs.field(factory=dict)

    def to_bytes(self) -> bytes:
        """Return the response as it is sent now."""
        return b"".join((self._before_date, http_date(), self._after_date))

    def record_for(self, client: str) -> RequestRecord:
        """Return what the access log says when this client gets the response."""
        record = self._records.get(client)
        if record is None:
            if len(self._records) >= _MOST_CLIENTS:
                self._records.clear()
            record = self._records[client] = self.record.for_client(client)
        return record


class ResponseCache:
    """Caches responses by the bytes of the requests that got them.

    Args:
        clock: Measures how long ago a response was used.
        observer: Called with how often responses were sent, after every thousand responses that
            were not reported, and by ``report``.
        capacity: Bytes that may be cached.
    """

    def __init__(
        self, clock: IReactorTime, observer: RequestObserver, capacity: int = CAPACITY
    ) -> None:
        self._responses: ValidatedCache[bytes, CachedResponse] = ValidatedCache(clock, capacity)
        self._observer = observer
        self._unreported: list[CachedResponse] = []

    def find(self, received: bytes) -> CachedResponse | None:
        """Return the response to a request, and count it; None if it is not cached.

        Args:
            received: All that has arrived on a connection that was between requests.
        """
        response = self._responses.get(received)
        if response is None:
            return None
        if not response.unreported:
            self._unreported.append(response)
        response.unreported += 1
        if len(self._unreported) > _MOST_UNREPORTED:
            self.report()
        return response

    def report(self) -> None:
        """Report to the observer how often responses were sent since the last report."""
        responses, self._unreported = self._unreported, []
        for response in responses:
            self._observer(response.record, response.unreported)
            response.unreported = 0

    def store(
        self,
        received: bytes,
        sent: bytes,
        record: RequestRecord,
        is_current: Callable[[], bool],
    ) -> None:
        """Cache a response.

        Args:
            received: The bytes of the request.
            sent: The bytes of the response.
            record: What the access log says about the request.
            is_current: Returns whether the response would still be the same.
        """
        before, date, after = sent.partition(b"\r\nDate: ")
        after = after[len(http_date()) :]
        response = CachedResponse(before + date, after, attrs.evolve(record, seconds=0.0))
        self._responses.put(received, response, is_current, len(received) + len(sent) + _OVERHEAD)


def is_cacheable(headers: Headers) -> bool:
    """Return whether a request with these header fields may be answered from the cache."""
    names = (name.lower() for name, _ in headers.getAllRawHeaders())
    return _UNCACHEABLE.isdisjoint(names)


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


class WriteBatcher:
    """Sends the responses that are made in one iteration of the reactor together.

    Each response wakes its client, which takes the kernel longer than the rest of sending it. A
    client with several connections is woken once for a batch.

    Args:
        clock: The reactor.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._writers: list[FastChannel] = []

    def add(self, writer: "FastChannel") -> None:
        """Flush a connection before the reactor waits again."""
        if len(self._writers) >= _LARGEST_BATCH:
            self._flush()
        if not self._writers:
            self._clock.callLater(0, self._flush)
        self._writers.append(writer)

    def _flush(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.flush()


def send_now(transport: ITransport, content: bytes) -> None:
    """Send bytes at once, without waiting until the socket is writable: it nearly always is.

    ``transport.write`` sends in the next iteration of the reactor, with two more system calls for
    each response. It gets the bytes that the kernel does not accept at once, and reports errors.
    """
    if isinstance(transport, Connection) and not has_unsent(transport):
        try:
            sent = transport.socket.send(content)
        except OSError:
            sent = 0
        if sent == len(content):
            return
        content = content[sent:]
    transport.write(content)


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


class BufferedLog:
    """A text stream that buffers lines, and writes them once in each iteration of the reactor.

    While the reactor does not run, each line is written at once. If the process is killed
    (SIGKILL, a power failure), the lines of one iteration are lost.

    Args:
        stream: The stream that the lines are written to.
        reactor: The reactor.
    """

    def __init__(self, stream: TextIO, reactor: Any) -> None:
        self._stream = stream
        self._reactor = reactor
        self._lines: list[str] = []
        self._size = 0
        self._is_scheduled = False
        reactor.addSystemEventTrigger("after", "shutdown", self._write_through)

    def write(self, line: str) -> None:
        """Buffer a line."""
        size = len(line) if line.isascii() else len(line.encode())
        if self._size + size > _PIPE_BUFFER:
            self._write_through()
        self._lines.append(line)
        self._size += size

    def flush(self) -> None:
        """Schedule the buffered lines to be written at the end of this iteration."""
        if not self._reactor.running:
            self._write_through()
        elif not self._is_scheduled:
            self._is_scheduled = True
            self._reactor.callLater(0, self._end_iteration)

    def _end_iteration(self) -> None:
        self._is_scheduled = False
        self._write_through()

    def _write_through(self) -> None:
        lines, self._lines, self._size = self._lines, [], 0
        self._stream.write("".join(lines))
        self._stream.flush()
