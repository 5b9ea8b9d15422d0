"""Asks the registry in memory: the real site on a pretended connection, and no real time."""

import os
from collections.abc import Mapping, Sequence
from email.parser import BytesParser

import attrs
from twisted.internet import task
from twisted.internet.address import IPv4Address
from twisted.internet.defer import execute
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock, Cooperator
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from minreg.interfaces import IRegistryStore
from minreg.store.tree import RegistryTree
from minreg.web.api import make_root
from minreg.web.channel import RegistryChannel
from minreg.web.disk import Disk
from minreg.web.site import RegistrySite
from tests.trees import TreeBuilder

ALIASES = {"bootstrap-registry.airgap": "docker.io"}
CLIENT = IPv4Address("TCP", "192.0.2.1", 54321)


@attrs.frozen
class Response:
    """What came back."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value, whatever the case of its name."""
        return self.headers.get(name.lower())


class Connection:
    """A pretended connection to a site, on which raw bytes are exchanged."""

    def __init__(self, site: RegistrySite, clock: Clock) -> None:
        self.transport = StringTransport(peerAddress=CLIENT)
        self.channel = site.buildProtocol(CLIENT)
        assert isinstance(self.channel, RegistryChannel)
        self.channel.makeConnection(self.transport)
        self._clock = clock

    def send(self, content: bytes) -> None:
        """Let bytes arrive at the registry."""
        self.channel.dataReceived(content)
        self.pump()

    def pump(self) -> None:
        """Let the registry do all that needs no time."""
        for _ in range(1000):
            if not any(call.getTime() <= self._clock.seconds() for call in self._clock.calls):
                break
            self._clock.advance(0)

    def received(self) -> bytes:
        """Take what the registry has sent so far."""
        content: bytes = self.transport.value()
        self.transport.clear()
        return content

    def lose(self) -> None:
        """Let the client leave, or the closed connection be gone."""
        self.channel.connectionLost(Failure(ConnectionDone()))

    @property
    def is_closed(self) -> bool:
        """Whether the registry has closed the connection."""
        return self.transport.disconnecting or self.transport.disconnected


class WebTestCase(SynchronousTestCase):
    """A registry over an empty tree, and ways to fill and to ask it."""

    def setUp(self) -> None:
        """Build the site, with a clock instead of time and no threads."""
        self.clock = Clock()
        self.root = os.path.abspath(self.mktemp())
        self.tree = TreeBuilder(self.root)
        cooperator = Cooperator(scheduler=lambda work: self.clock.callLater(0, work))
        self.patch(task, "_theCooperator", cooperator)
        self.events: Sequence[LogEvent] = self.enterContext(capturedLogs())
        self.site = self.make_site(RegistryTree(self.root, ALIASES))

    def make_site(self, store: IRegistryStore, most_connections: int = 10) -> RegistrySite:
        """Build a site over a store."""
        disk = Disk(self.clock, execute)
        return RegistrySite(make_root(store, disk), self.clock, most_connections)

    def connect(self) -> Connection:
        """Open a connection."""
        return Connection(self.site, self.clock)

    def request(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Make one request on a connection of its own."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        connection = self.connect()
        connection.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return parse_response(connection.received())

    def logged(self, event: str) -> list[LogEvent]:
        """Return the events of one kind that were logged so far."""
        return [logged for logged in self.events if logged.get("event") == event]


def parse_response(content: bytes) -> Response:
    """Read one response; everything behind its head counts as its body."""
    head, _, body = content.partition(b"\r\n\r\n")
    status, _, fields = head.partition(b"\r\n")
    parsed = BytesParser().parsebytes(fields + b"\r\n\r\n")
    headers = {name.lower(): value for name, value in parsed.items()}
    return Response(int(status.split()[1]), headers, body)
