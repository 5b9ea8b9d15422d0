"""A short way for questions that come again and again.

A node asks for the same few manifests and configs over and over, in the same words: the
same client sends the same bytes for the same path. So what is remembered is not a manifest
but an answer, and the key is not a path but the whole request as it arrived, to the byte.
Whatever decides about an answer (path, query, method, every header) is in those bytes, or
it lies on the disk. Nothing of the request has to be parsed, and nothing can be overlooked
when it is compared. A request that differs in one byte is answered the ordinary way, with
the same result.

When an answer is kept. The ordinary way has just given it: status 200, a whole body of at
most 64 KiB (or none, for HEAD), on a connection that lives on. The request came in one
piece, alone, while nothing else was under way on its connection. It had none of the headers
that change more than the representation (``_UNUSUAL``): ranges, conditions, expectations,
bodies, and the end of the connection are for the ordinary way. And the store can tell
whether its content is still current (``Content.is_current``): that looks at every place
which the answer rests on, with one ``stat`` for most.

When it is given. Its connection is at rest, so that answers keep their order; the client
takes what it is sent, so that answers do not pile up; and the content is current, as
``minreg.store.cache`` explains.

What is the same. The bytes are those that the ordinary way wrote, but for ``Date``, the only
thing in an answer that is not decided by request and content. The log has the same line,
which is not even made anew where only its time differs. The connection's timeouts are set
as after any other request.

What it costs. At most ``capacity`` bytes, least recently used out first. A client that puts
something new into each request fills it with answers that are never given again, and
pushes others out; those are answered the ordinary way then.
"""

from collections.abc import Callable, Mapping
from time import time
from typing import Protocol

import attrs
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import LogEvent

from minreg.store.cache import ValidatedCache
from minreg.web.request import RegistryRequest, http_date, name_client

CAPACITY = 32 * 1024 * 1024
"""Bytes of answers, with the requests for them, that are remembered."""

_OVERHEAD = 4096
"""Bytes that an answer takes besides its own, about."""

_UNUSUAL = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
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

_MOST_EVENTS = 64


class Log(Protocol):
    """Where the lines of requests go."""

    def make_event(
        self, client: str, description: Mapping[str, object], seconds: float
    ) -> LogEvent:
        """Make the event of a request."""

    def publish(self, event: LogEvent) -> None:
        """Log an event. In ``log_kept`` it may note what only its time does not change."""


@attrs.frozen
class _Answer:
    """An answer's bytes before and after its date, and what the log says to whom it went."""

    before: bytes
    after: bytes
    description: Mapping[str, object]
    events: dict[str, LogEvent] = attrs.field(factory=dict)


class ResponseCache:
    """Remembers answers by the bytes of the requests that they were given to.

    Args:
        clock: Measures how long ago an answer was given.
        log: Takes the lines of requests that are answered this way.
        capacity: How much may be remembered, in bytes.
    """

    def __init__(self, clock: IReactorTime, log: Log, capacity: int = CAPACITY) -> None:
        self._log = log
        self._answers: ValidatedCache[bytes, _Answer] = ValidatedCache(clock, capacity)

    def find(self, asked: bytes, client: IAddress) -> bytes | None:
        """Find the answer to a request that has been answered before, and log it.

        Args:
            asked: All that has arrived on a connection at rest.
            client: Whose connection it is.
        """
        answer = self._answers.find(asked)
        if answer is None:
            return None
        name = name_client(client)
        event = answer.events.get(name)
        if event is None:
            if len(answer.events) >= _MOST_EVENTS:
                answer.events.clear()
            event = answer.events[name] = self._log.make_event(name, answer.description, 0.0)
            event["log_kept"] = {}
        self._log.publish({**event, "log_time": time()})
        return b"".join((answer.before, http_date(), answer.after))

    def keep(self, request: RegistryRequest, body: bytes, is_current: Callable[[], bool]) -> None:
        """Remember the answer that a request has just got, if it may be given again.

        Args:
            request: The request; its answer is finished.
            body: The body that was sent.
            is_current: Tells whether the answer would still be the same.
        """
        if not request.asked or request.code != 200 or request.clientproto != b"HTTP/1.1":
            return
        names = (name.lower() for name, _ in request.requestHeaders.getAllRawHeaders())
        if not _UNUSUAL.isdisjoint(names):
            return
        before, date, after = request.head.partition(b"\r\nDate: ")
        body = after[len(http_date()) :] + body
        answer = _Answer(before + date, body, request.describe())
        cost = len(request.asked) + len(before) + len(body) + _OVERHEAD
        self._answers.keep(request.asked, answer, is_current, cost)
