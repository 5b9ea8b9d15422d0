"""Requests to the registry in memory: the real site on a fake connection, with a fake clock."""

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
from minreg.web.fastpath import FastSite
from minreg.web.registry.endpoints import make_root
from minreg.web.site import RegistrySite
from tests.transports import CLIENT, SocketTransport
from tests.trees import TreeBuilder

ALIASES = {"bootstrap-registry.airgap": "docker.io"}


@attrs.frozen
class Response:
    """A response."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value; the case of its name does not matter."""
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
        """Parse a body of several ranges: the ``Content-Range`` and the bytes of each."""
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
    """A fake connection to a site, which exchanges raw bytes.

    Args:
        site: The site.
        clock: The site's clock.
        reads: Whether the client accepts data.
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
        """Send bytes to the registry, unless it has stopped reading."""
        if self.transport.is_reading:
            self.channel.dataReceived(content)
        self.pump()

    def request(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request, and return the response."""
        self.send(write_request(path, method, headers))
        return parse_response(self.received())

    def pump(self) -> None:
        """Run the registry and the client until both wait for time to pass."""
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
        """Return what the registry has sent since the last call."""
        received, self._received = self._received, b""
        return received

    def leave(self) -> None:
        """Close the connection, as the client."""
        self.transport.lose(ConnectionLost())
        self.pump()

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed."""
        return not self.transport.connected


class WebTestCase(SynchronousTestCase):
    """A registry over an empty tree, with methods that fill it and send requests."""

    def setUp(self) -> None:
        """Build the site, with a fake clock and without threads."""
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
        """Build a site for a store."""
        disk = DiskIO(self.clock, in_thread, timeout)
        return FastSite(make_root(store, disk), self.clock, most_connections)

    def connect(self, *, reads: bool = True) -> Connection:
        """Open a connection. If ``reads`` is false, its client accepts no data."""
        return Connection(self.site, self.clock, reads=reads)

    def request(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send one request on a new connection."""
        connection = self.connect()
        response = connection.request(path, method, headers)
        connection.leave()
        return response

    def logged(self, event: str) -> list[LogEvent]:
        """Return the logged events of one kind, with the fields of a request's record."""
        return [
            {**logged, **(logged["request"].fields() if event == "request" else {})}
            for logged in self.events
            if logged.get("event") == event
        ]


def write_request(
    path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the bytes of a request without a body."""
    fields = {"Host": "localhost", **(headers or {})}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def parse_response(content: bytes) -> Response:
    """Parse one response; everything after its head is its body."""
    head, _, body = content.partition(b"\r\n\r\n")
    status, _, fields = head.partition(b"\r\n")
    parsed = BytesParser().parsebytes(fields + b"\r\n\r\n")
    headers = {name.lower(): value for name, value in parsed.items()}
    return Response(int(status.split()[1]), headers, body)


def parse_responses(content: bytes) -> list[Response]:
    """Parse the responses to several requests other than HEAD."""
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
