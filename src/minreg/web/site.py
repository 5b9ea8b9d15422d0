"""The site: all connections, and a line in the access log for each request."""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.server import Site

from minreg.log import AccessLog, RequestRecord
from minreg.oci.errors import RegistryError
from minreg.web.channel import RegistryChannel
from minreg.web.request import RegistryRequest, RegistryResource, name_client

IDLE_TIMEOUT = 90
"""Seconds that a connection may stay open without a request. containerd keeps its for 30."""

RequestObserver = Callable[[RequestRecord, int], None]
"""Called with the record of a request that was answered, and how many times it was."""


class RegistrySite(Site):
    """Serves a tree of resources to a bounded number of connections.

    Attributes:
        url: The URL that clients on the same machine can use; empty before it listens, and for a
            Unix socket.
        listeners: The URLs and sockets at which it listens.
        is_draining: Whether it finishes the transfers in progress and accepts no more.

    Args:
        resource: The root of the tree.
        reactor: Measures time.
        most_connections: How many may be open at once.
        observers: Called with the record of each request.
    """

    protocol: type[RegistryChannel] = RegistryChannel  # type: ignore[assignment]  # Twisted's is a function
    requestFactory = RegistryRequest
    noisy = False
    url = ""
    _log = Logger(namespace="minreg.access")

    def __init__(
        self,
        resource: RegistryResource,
        reactor: IReactorTime,
        most_connections: int,
        observers: Sequence[RequestObserver] = (),
    ) -> None:
        super().__init__(resource, timeout=IDLE_TIMEOUT, reactor=reactor)
        self.access_log = AccessLog()
        self.listeners: list[str] = []
        self._most_connections = most_connections
        self._observers = observers
        self._channels: set[RegistryChannel] = set()
        self._drained: Deferred[None] | None = None
        self.is_draining = False

    @property
    def is_listening(self) -> bool:
        """Whether at least one port leads here. Twisted counts them."""
        return self.numPorts > 0

    @property
    def transfers(self) -> int:
        """How many responses are in progress."""
        return sum(channel.is_answering for channel in self._channels)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._channels)

    def describe(self) -> str:
        """Return the site's state as one line for people."""
        return (
            f"{self.access_log.count} requests answered, {self.transfers} transfers in progress, "
            f"{self.connections} connections open"
        )

    def startFactory(self) -> None:
        """Do nothing: Twisted's site would open a log file of its own here."""

    def stopFactory(self) -> None:
        """Do nothing: Twisted's site would close its log file here."""

    def acceptableProtocols(self) -> list[bytes]:
        """Return the protocols that TLS may negotiate: HTTP/1.1 only."""
        return [b"http/1.1"]

    def admit(self, channel: RegistryChannel) -> bool:
        """Count a connection, and return whether the limit still allows it."""
        self._channels.add(channel)
        return len(self._channels) <= self._most_connections

    def forget(self, channel: RegistryChannel) -> None:
        """Stop counting a connection."""
        self._channels.discard(channel)
        if self._drained is not None and not self._channels:
            drained, self._drained = self._drained, None
            if self._abort_call.active():
                self._abort_call.cancel()
            drained.callback(None)

    def drain(self, timeout: float) -> Deferred[None]:
        """Finish the responses in progress, and close all connections.

        Args:
            timeout: Seconds after which connections that are still open are aborted.

        Returns:
            A Deferred that fires when the last connection is closed.
        """
        self.is_draining = True
        for channel in list(self._channels):
            channel.finish()
        if not self._channels:
            return succeed(None)
        self._drained = Deferred()
        self._abort_call = self.reactor.callLater(timeout, self.abort_all)
        return self._drained

    def abort_all(self) -> None:
        """Close all connections at once, and log how many transfers did not end in time."""
        self._log.warn(
            "{count} transfers did not end in time and are aborted", count=len(self._channels)
        )
        for channel in list(self._channels):
            channel.abort("the registry stopped")

    def log(self, request: RegistryRequest) -> None:  # type: ignore[override]  # we make no other
        """Log a request that was answered, or whose client left."""
        self._log_and_notify(request.make_record(self.reactor.seconds() - request.started))

    def log_refusal(self, channel: RegistryChannel, error: RegistryError, size: int) -> None:
        """Log input that was refused before it had become a request.

        Args:
            channel: Its connection.
            error: The refusal.
            size: Bytes of the body that was sent.
        """
        self._log_and_notify(
            RequestRecord(
                client=name_client(channel.getPeer()),
                status=error.status,
                bytes=size,
                failure=str(error),
            )
        )

    def _log_and_notify(self, record: RequestRecord) -> None:
        self.access_log.publish(record)
        self.notify_observers(record, 1)

    def notify_observers(self, record: RequestRecord, times: int) -> None:
        """Report a request that was answered ``times`` times."""
        for observer in self._observers:
            observer(record, times)

    def update_observers(self) -> None:
        """Report all requests that were not reported to the observers yet."""
