"""The site: all connections together, and one line in the log for each request."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import time
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import LogEvent, Logger, LogLevel
from twisted.web.server import Site

from minreg.oci.errors import RegistryError
from minreg.web.channel import RegistryChannel
from minreg.web.fastpath.response_cache import ResponseCache
from minreg.web.request import RegistryRequest, name_client
from minreg.web.resource import RegistryResource
from minreg.web.responses import WriteBatcher

IDLE_TIMEOUT = 90
"""Seconds that a connection may stay open without a request. containerd keeps its for 30."""

Witness = Callable[[Mapping[str, Any]], None]
"""Learns of each request, once it was answered, what its line in the log says of it."""


class RegistrySite(Site):
    """Serves a tree of resources to a bounded number of connections.

    ``url`` is where it can be reached from the same machine, once that is known: a socket's
    file has none. ``listeners`` are all places where it listens, as a client would name them.

    Args:
        resource: The root of the tree.
        reactor: Measures time.
        most_connections: How many may be open at once.
        witnesses: Who else wants to know of each request.
    """

    protocol = RegistryChannel  # type: ignore[assignment]  # Twisted's is a function
    requestFactory = RegistryRequest
    noisy = False
    url = ""
    _log = Logger(namespace="minreg.access")

    def __init__(
        self,
        resource: RegistryResource,
        reactor: IReactorTime,
        most_connections: int,
        witnesses: Sequence[Witness] = (),
    ) -> None:
        super().__init__(resource, timeout=IDLE_TIMEOUT, reactor=reactor)
        self._answered = 0
        self.listeners: list[str] = []
        # Logger is a descriptor, and makes a new Logger each time that it is asked for.
        self._publish = self._log.observer
        self.shortcut = ResponseCache(reactor, self)
        self.departures = WriteBatcher(reactor)
        self._most_connections = most_connections
        self._witnesses = witnesses
        self._channels: set[RegistryChannel] = set()
        self._drained: Deferred[None] | None = None
        self.is_draining = False

    @property
    def is_listening(self) -> bool:
        """Whether at least one port leads here. Twisted counts them."""
        return self.numPorts > 0

    @property
    def transfers(self) -> int:
        """How many answers are under way."""
        return sum(channel.is_answering for channel in self._channels)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._channels)

    def describe(self) -> str:
        """Say in a line what goes on."""
        return (
            f"{self._answered} requests answered, {self.transfers} transfers under way, "
            f"{self.connections} connections open"
        )

    def startFactory(self) -> None:
        """Begin. There is no log file of our own to open."""

    def stopFactory(self) -> None:
        """End."""

    def acceptableProtocols(self) -> list[bytes]:
        """Speak HTTP/1.1 only, also where TLS would let client and server choose."""
        return [b"http/1.1"]

    def admit(self, channel: RegistryChannel) -> bool:
        """Count a connection, and tell whether it is not one too many."""
        self._channels.add(channel)
        return len(self._channels) <= self._most_connections

    def forget(self, channel: RegistryChannel) -> None:
        """Count a connection no longer."""
        self._channels.discard(channel)
        if self._drained is not None and not self._channels:
            drained, self._drained = self._drained, None
            if self._end_of_patience.active():
                self._end_of_patience.cancel()
            drained.callback(None)

    def drain(self, patience: float) -> Deferred[None]:
        """Let the answers that are under way come to their end, and close all connections.

        Args:
            patience: Seconds after which those that are still open are cut off.
        """
        self.is_draining = True
        for channel in list(self._channels):
            channel.finish()
        if not self._channels:
            return succeed(None)
        self._drained = Deferred()
        self._end_of_patience = self.reactor.callLater(patience, self.abort_all)
        return self._drained

    def abort_all(self) -> None:
        """Close all connections, whatever is under way on them."""
        self._log.warn(
            "{count} transfers did not end in time and are cut off", count=len(self._channels)
        )
        for channel in list(self._channels):
            channel.abort("the registry stopped")

    def log(self, request: RegistryRequest) -> None:  # type: ignore[override]  # we make no other
        """Write the line of a request that was answered, or whose client left."""
        seconds = self.reactor.seconds() - request.started
        self._log_request(name_client(request.client), request.describe(), seconds)

    def log_refusal(self, channel: RegistryChannel, error: RegistryError, size: int) -> None:
        """Write the line of something that did not become a request."""
        description = {
            "method": "-",
            "path": "-",
            "ns": "",
            "status": error.status,
            "bytes": size,
            "user_agent": "-",
            "failure": str(error),
        }
        self._log_request(name_client(channel.getPeer()), description, 0.0)

    def _log_request(self, client: str, description: Mapping[str, object], seconds: float) -> None:
        event = self.make_event(client, description, seconds)
        event["log_time"] = time()
        self.publish(event)

    def make_event(
        self, client: str, description: Mapping[str, object], seconds: float
    ) -> LogEvent:
        """Make the event of a request, as ``Logger.emit`` would, but for its time.

        ``log_words`` spares our own log the formatting of ``log_format``, which would take
        as long as all the rest.
        """
        return {
            "event": "request",
            "client": client,
            **description,
            "seconds": seconds,
            "log_format": "{log_words()}",
            "log_words": partial(_words, client, description, seconds),
            "log_level": LogLevel.info,
            "log_namespace": "minreg.access",
        }

    def publish(self, event: LogEvent) -> None:
        """Give an event to all who want the log, and to the witnesses."""
        self._answered += 1
        self._publish(event)
        for witness in self._witnesses:
            witness(event)


def _words(client: str, description: Mapping[str, Any], seconds: float) -> str:
    return (
        f"{client} {description['method']} {description['path']} ns={description['ns']!r} "
        f"{description['status']} {description['bytes']}B {seconds:.3f}s "
        f"{description['user_agent']!r} {description['failure']}"
    )
