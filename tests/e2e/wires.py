"""A real TCP connection to a site, with a fake clock and without a daemon."""

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
    """A reactor that polls descriptors only when the test runs an iteration."""

    def __init__(self, clock: Clock) -> None:
        self.callLater, self.seconds = clock.callLater, clock.seconds
        self.getDelayedCalls = clock.getDelayedCalls
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard

    def getReaders(self) -> list[Any]:
        """Return all readers."""
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        """Return all writers."""
        return list(self.writers)

    def removeAll(self) -> list[Any]:
        """Not implemented."""
        raise NotImplementedError

    def turn(self) -> bool:
        """Run everything that can run without waiting; return whether there was anything."""
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
    """A connection to a site, and the client's end of it.

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
        """Run the registry until it waits for time or for the client."""
        for _ in range(10_000):
            self._clock.advance(0)
            if not self.reactor.turn():
                return
        raise AssertionError("the registry never comes to rest")

    def read(self, size: int) -> bytes:
        """Read as the client: so many bytes, or all that arrive."""
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
        """Close the connection as the client."""
        self.client.close()
        self.run()
