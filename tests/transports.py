"""A fake TCP connection that behaves like a real one: its buffer fills and drains."""

import socket
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import (
    IPushProducer,
    IReactorFDSet,
    ITCPTransport,
    IWriteDescriptor,
)
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

Address = IPv4Address | IPv6Address

CLIENT = IPv4Address("TCP", "192.0.2.1", 54321)
SERVER = IPv4Address("TCP", "192.0.2.2", 9080)


@implementer(ITCPTransport, IPushProducer)
class SocketTransport:
    """The registry's end of a connection, with the interface of ``tcp.Connection``.

    Bytes are buffered until the client reads them. A producer is paused when the buffer has
    more than ``BUFFER_SIZE`` bytes, and resumed when it is empty.
    """

    BUFFER_SIZE = 65536

    def __init__(self, protocol: Protocol, clock: Clock, peer: Address = CLIENT) -> None:
        self.protocol = protocol
        self.peer = peer
        self.connected = True
        self.disconnecting = False
        self.is_reading = True
        self.is_aborted = False
        self.keeps_alive = False
        self.waiting = bytearray()
        self._clock = clock
        self._producer: Any = None
        self._is_producer_paused = False

    def write(self, data: bytes) -> None:
        """Append bytes to the buffer."""
        if not self.connected:
            return
        self.waiting += data
        if self._producer is not None and len(self.waiting) > self.BUFFER_SIZE:
            self._is_producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Append bytes to the buffer."""
        self.write(b"".join(data))

    def take(self, size: int) -> bytes:
        """Remove bytes from the buffer, as the client does when it reads."""
        taken = bytes(self.waiting[:size])
        del self.waiting[:size]
        if self.waiting or not self.connected:
            return taken
        if self._producer is not None and self._is_producer_paused:
            self._is_producer_paused = False
            self._producer.resumeProducing()
        elif self.disconnecting:
            self.lose(ConnectionDone())
        return taken

    def lose(self, reason: Exception) -> None:
        """Close the connection."""
        if not self.connected:
            return
        self.connected = self.is_reading = False
        self.disconnecting = True
        if self._producer is not None:
            self._producer.stopProducing()
            self._producer = None
        self.protocol.connectionLost(Failure(reason))

    def loseConnection(self) -> None:
        """Stop reading, and close when the buffer is empty."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.is_reading = False

    def abortConnection(self) -> None:
        """Close soon, and drop the buffer."""
        if self.connected and not self.is_aborted:
            self.is_aborted = self.disconnecting = True
            self.waiting.clear()
            self._clock.callLater(0, self.lose, ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        """Register a producer, which must be a push producer."""
        if self._producer is not None or not streaming:
            raise RuntimeError("cannot feed from this producer")
        if self.connected:
            self._producer = producer
        else:
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        """Remove the producer."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Stop reading."""
        self.is_reading = False

    def resumeProducing(self) -> None:
        """Resume reading."""
        if self.connected and not self.disconnecting:
            self.is_reading = True

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    def getPeer(self) -> Address:
        """Return the client's address."""
        return self.peer

    def getHost(self) -> Address:
        """Return the registry's address."""
        return SERVER

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: FBT001
        """Set whether keepalive is on."""
        self.keeps_alive = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """Return whether keepalive is on."""
        return self.keeps_alive

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001
        """Do nothing: nothing is delayed here."""

    def getTcpNoDelay(self) -> bool:
        """Return True: nothing is delayed here."""
        return True

    def loseWriteConnection(self) -> None:
        """Not implemented."""
        raise NotImplementedError


class FakeSocket:
    """The socket of a ``KernelTransport``: it keeps what is sent until the client reads it."""

    family = socket.AF_INET

    def __init__(self, waiting: bytearray) -> None:
        self._waiting = waiting
        self.room: int | None = None
        self.options: list[tuple[int, int]] = []

    def setsockopt(self, _level: int, option: int, value: int) -> None:
        """Record an option that is set."""
        self.options.append((option, value))

    def send(self, content: bytes) -> int:
        """Accept as many bytes as fit."""
        if self.room == 0:
            raise BlockingIOError
        accepted = content[: self.room]
        self._waiting += accepted
        return len(accepted)


@implementer(IReactorFDSet)
class FakePoller:
    """A reactor that records which writers wait for a descriptor to become writable."""

    def __init__(self) -> None:
        self.writers: list[IWriteDescriptor] = []

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Add a writer."""
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Remove a writer."""
        if writer in self.writers:
            self.writers.remove(writer)

    def callLater(self, _delay: float, function: Callable[..., object], *args: object) -> None:
        """Call a function at once."""
        function(*args)

    def addReader(self, _reader: object) -> None:
        """Not implemented."""
        raise NotImplementedError

    removeReader = addReader

    def removeAll(self) -> list[Any]:
        """Not implemented."""
        raise NotImplementedError

    getReaders = getWriters = removeAll


class KernelTransport(SocketTransport, Connection):  # type: ignore[misc]  # as a test double
    """A fake TCP connection whose descriptor is a file, to which ``sendfile`` can send.

    Args:
        protocol: The registry's channel.
        clock: The site's clock.
        descriptor: A file that is open for writing.
    """

    def __init__(self, protocol: Protocol, clock: Clock, descriptor: int) -> None:
        SocketTransport.__init__(self, protocol, clock)
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []
        self.socket: Any = FakeSocket(self.waiting)
        self.reactor: Any = FakePoller()
        self.fileno: Any = lambda: descriptor
