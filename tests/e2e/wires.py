"""A real TCP connection to a site that a test drives by hand: no daemon, and no real time."""

import select
import socket
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.python.failure import Failure
from zope.interface import implementer

from minreg.web.channel import RegistryChannel
from minreg.web.site import RegistrySite
from tests.transports import CLIENT

_NO_PORT: Any = None
"""A transport names its port in its ``repr`` only."""


@implementer(IReactorFDSet, IReactorTime)
class HandReactor:
    """Waits for descriptors only when it is told to take a turn."""

    def __init__(self, clock: Clock) -> None:
        self.callLater, self.seconds = clock.callLater, clock.seconds
        self.getDelayedCalls = clock.getDelayedCalls
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard

    def getReaders(self) -> list[Any]:
        """Name all who read."""
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        """Name all who write."""
        return list(self.writers)

    def removeAll(self) -> list[Any]:
        """Not pretended."""
        raise NotImplementedError

    def turn(self) -> bool:
        """Let all do what they can do without waiting; tell whether there was anything."""
        readable, writable, _ = select.select(self.readers, self.writers, (), 0)
        for selectable in readable:
            if selectable in self.readers:
                self._tell(selectable, selectable.doRead())
        for selectable in writable:
            if selectable in self.writers:
                self._tell(selectable, selectable.doWrite())
        return bool(readable or writable)

    def _tell(self, selectable: Any, reason: Exception | None) -> None:
        if reason is not None:
            self.removeReader(selectable)
            self.removeWriter(selectable)
            done = isinstance(reason, ConnectionDone)
            selectable.connectionLost(Failure(ConnectionDone() if done else ConnectionLost()))


class Wire:
    """A connection to a site, and its client's end.

    Args:
        site: Whose connection it is.
        clock: The site's clock.
    """

    def __init__(self, site: RegistrySite, clock: Clock) -> None:
        self.reactor = HandReactor(clock)
        self._clock = clock
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.create_connection(listener.getsockname())
            accepted, address = listener.accept()
        self.client.settimeout(0)
        channel = site.buildProtocol(CLIENT)
        assert isinstance(channel, RegistryChannel)
        self.channel = channel
        accepted.settimeout(0)
        self.transport = Server(accepted, channel, address, _NO_PORT, 1, self.reactor)
        channel.makeConnection(self.transport)

    def run(self) -> None:
        """Let the registry do all that needs neither time nor the client."""
        for _ in range(10_000):
            self._clock.advance(0)
            if not self.reactor.turn():
                return
        raise AssertionError("the registry never comes to rest")

    def read(self, size: int) -> bytes:
        """Read so many bytes as the client, or all that come."""
        received = bytearray()
        while len(received) < size:
            self.run()
            try:
                piece = self.client.recv(size - len(received))
            except BlockingIOError:
                continue
            if not piece:
                break
            received += piece
        return bytes(received)

    def ask(self, content: bytes) -> None:
        """Send as the client."""
        self.client.sendall(content)
        self.run()

    def close(self) -> None:
        """Leave as the client."""
        self.client.close()
        self.run()
