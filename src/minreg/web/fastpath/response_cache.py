"""A cache of complete responses, keyed by the bytes of the requests that got them.

Nodes ask for the same few manifests and configs over and over, and a client sends the same
bytes each time. So the key is not a path but the whole request as it arrived. Whatever decides
about a response (path, query, method, every header field) is in those bytes, or it lies on the
disk. Nothing has to be parsed, and nothing can be overlooked when requests are compared. A
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
the request and the content. So are the line in the log, the metrics, and the connection's timeouts.

The cache has at most ``capacity`` bytes; the least recently used response is dropped first. A
client whose requests are all different fills the cache with responses that are never used again;
other requests are then answered by the resources.
"""

from collections.abc import Callable
from typing import Protocol

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers

from minreg.log import RequestRecord
from minreg.store.cache import ValidatedCache
from minreg.web.channel import http_date

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


class Observer(Protocol):
    """Receives the numbers of times that cached responses were sent."""

    def __call__(self, record: RequestRecord, times: int) -> None:
        """Count a request that was answered ``times`` times."""


class ResponseCache:
    """Caches responses by the bytes of the requests that got them.

    Args:
        clock: Measures how long ago a response was used.
        observer: Called with how often responses were sent, after every thousand responses that
            were not reported, and by ``report``.
        capacity: Bytes that may be cached.
    """

    def __init__(self, clock: IReactorTime, observer: Observer, capacity: int = CAPACITY) -> None:
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
