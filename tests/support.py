"""Asks the registry in memory: the real site on a pretended connection, and no real time."""

import json
import os
from collections.abc import Mapping, Sequence
from email.parser import BytesParser
from typing import Any

import attrs
from twisted.internet import task
from twisted.internet.defer import execute
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock, Cooperator
from twisted.logger import LogEvent, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from minreg.store.interfaces import IRegistryStore
from minreg.store.tree import RegistryTree
from minreg.web.channel import RegistryChannel
from minreg.web.disk import DiskIO, ThreadRunner
from minreg.web.fastpath.site import FastSite
from minreg.web.registry.endpoints import make_root
from minreg.web.site import RegistrySite
from tests.transports import CLIENT, SocketTransport
from tests.trees import TreeBuilder

ALIASES = {"bootstrap-registry.airgap": "docker.io"}


@attrs.frozen
class Response:
    """What came back."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value, whatever the case of its name."""
        return self.headers.get(name.lower())

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def error_code(self) -> str:
        """The code of the error document that is the body."""
        (error,) = self.json["errors"]
        return str(error["code"])

    def parts(self) -> list[tuple[str, bytes]]:
        """Read a body of several ranges: what each says of its place, and its bytes."""
        boundary = self.headers["content-type"].partition("boundary=")[2].encode("ascii")
        preamble, *parts, end = self.body.split(b"\r\n--" + boundary)
        assert (preamble, end) == (b"", b"--\r\n")
        read = []
        for part in parts:
            head, _, body = part.partition(b"\r\n\r\n")
            headers = BytesParser().parsebytes(head.lstrip() + b"\r\n\r\n")
            read.append((str(headers["content-range"]), body))
        return read


class Connection:
    """A pretended connection to a site, on which raw bytes are exchanged.

    Args:
        site: Whose connection it is.
        clock: The site's clock.
        reads: Whether the client takes what it is sent.
    """

    def __init__(self, site: RegistrySite, clock: Clock, *, reads: bool = True) -> None:
        channel = site.buildProtocol(CLIENT)
        assert isinstance(channel, RegistryChannel)
        self.channel = channel
        self.transport = SocketTransport(channel, clock)
        self.reads = reads
        self._clock = clock
        self._received = b""
        channel.makeConnection(self.transport)
        self.pump()

    def send(self, content: bytes) -> None:
        """Let bytes arrive at the registry, if it reads at all."""
        if self.transport.is_reading:
            self.channel.dataReceived(content)
        self.pump()

    def request(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Make a request, and return what comes back."""
        self.send(write_request(path, method, headers))
        return parse_response(self.received())

    def pump(self) -> None:
        """Let the registry and the client do all that needs no time."""
        for _ in range(100_000):
            if self.reads and (self.transport.waiting or self.transport.disconnecting):
                self._received += self.transport.take(1 << 30)
            if not any(call.getTime() <= self._clock.seconds() for call in self._clock.calls):
                if not (self.reads and self.transport.waiting):
                    return
            else:
                self._clock.advance(0)
        raise AssertionError("the registry never comes to rest")

    def received(self) -> bytes:
        """Take what the registry has sent so far."""
        received, self._received = self._received, b""
        return received

    def leave(self) -> None:
        """Close the connection, as the client."""
        self.transport.lose(ConnectionLost())
        self.pump()

    @property
    def is_closed(self) -> bool:
        """Whether the connection has come to its end."""
        return not self.transport.connected


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
        self.site: RegistrySite = self.make_site(RegistryTree(self.root, ALIASES))

    def make_site(
        self,
        store: IRegistryStore,
        *,
        most_connections: int = 10,
        in_thread: ThreadRunner = execute,
        timeout: float = 2.0,
    ) -> FastSite:
        """Build a site over a store."""
        disk = DiskIO(self.clock, in_thread, timeout)
        return FastSite(make_root(store, disk), self.clock, most_connections)

    def connect(self, *, reads: bool = True) -> Connection:
        """Open a connection, of a client that takes what it is sent or does not."""
        return Connection(self.site, self.clock, reads=reads)

    def request(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Make one request on a connection of its own."""
        connection = self.connect()
        response = connection.request(path, method, headers)
        connection.leave()
        return response

    def logged(self, event: str) -> list[LogEvent]:
        """Return the events of one kind that were logged so far, with a request's own fields."""
        return [
            {**logged, **(logged["request"].fields() if event == "request" else {})}
            for logged in self.events
            if logged.get("event") == event
        ]


def write_request(
    path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> bytes:
    """Write a request without a body."""
    fields = {"Host": "localhost", **(headers or {})}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def parse_response(content: bytes) -> Response:
    """Read one response; everything behind its head counts as its body."""
    head, _, body = content.partition(b"\r\n\r\n")
    status, _, fields = head.partition(b"\r\n")
    parsed = BytesParser().parsebytes(fields + b"\r\n\r\n")
    headers = {name.lower(): value for name, value in parsed.items()}
    return Response(int(status.split()[1]), headers, body)


def parse_responses(content: bytes) -> list[Response]:
    """Read responses to requests other than HEAD, one behind the other."""
    responses = []
    while content:
        response = parse_response(content)
        if response.code == 100:
            content = response.body
            continue
        size = int(response.headers["content-length"])
        content = response.body[size:]
        responses.append(attrs.evolve(response, body=response.body[:size]))
    return responses
