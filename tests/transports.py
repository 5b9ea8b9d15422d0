"""A pretended TCP connection that behaves as a real one: it fills up, drains, and ends."""

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
    """The registry's end of a connection, as ``twisted.internet.tcp.Connection`` has it.

    What is written waits in a buffer until the client takes it. A producer is paused when
    more than ``BUFFER_SIZE`` bytes wait, and resumed once none do.
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
        """Let bytes wait for the client."""
        if not self.connected:
            return
        self.waiting += data
        if self._producer is not None and len(self.waiting) > self.BUFFER_SIZE:
            self._is_producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Let bytes wait for the client."""
        self.write(b"".join(data))

    def take(self, size: int) -> bytes:
        """Take some of what waits, as the client."""
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
        """End the connection for good."""
        if not self.connected:
            return
        self.connected = self.is_reading = False
        self.disconnecting = True
        if self._producer is not None:
            self._producer.stopProducing()
            self._producer = None
        self.protocol.connectionLost(Failure(reason))

    def loseConnection(self) -> None:
        """Read no more, and end once all is sent."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.is_reading = False

    def abortConnection(self) -> None:
        """End soon, whatever waits."""
        if self.connected and not self.is_aborted:
            self.is_aborted = self.disconnecting = True
            self.waiting.clear()
            self._clock.callLater(0, self.lose, ConnectionAborted())

    def registerProducer(self, producer: Any, streaming: bool) -> None:  # noqa: FBT001
        """Feed from a producer, which must be one that pushes."""
        if self._producer is not None or not streaming:
            raise RuntimeError("cannot feed from this producer")
        if self.connected:
            self._producer = producer
        else:
            producer.stopProducing()

    def unregisterProducer(self) -> None:
        """Feed from the producer no longer."""
        self._producer = None

    def pauseProducing(self) -> None:
        """Read no more for a while."""
        self.is_reading = False

    def resumeProducing(self) -> None:
        """Read on."""
        if self.connected and not self.disconnecting:
            self.is_reading = True

    def stopProducing(self) -> None:
        """End."""
        self.loseConnection()

    def getPeer(self) -> Address:
        """Name the client."""
        return self.peer

    def getHost(self) -> Address:
        """Name the registry."""
        return SERVER

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: FBT001
        """Find out whether the client is alive."""
        self.keeps_alive = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """Tell whether that is so."""
        return self.keeps_alive

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001
        """Send without delay, as is always so here."""

    def getTcpNoDelay(self) -> bool:
        """Tell that it is so."""
        return True

    def loseWriteConnection(self) -> None:
        """Not pretended."""
        raise NotImplementedError


class FakeSocket:
    """The socket of a ``KernelTransport``: what is sent to it waits for the client."""

    family = socket.AF_INET

    def __init__(self, waiting: bytearray) -> None:
        self._waiting = waiting
        self.room: int | None = None
        self.options: list[tuple[int, int]] = []

    def setsockopt(self, _level: int, option: int, value: int) -> None:
        """Note an option that is set."""
        self.options.append((option, value))

    def send(self, content: bytes) -> int:
        """Take as much as there is room for."""
        if self.room == 0:
            raise BlockingIOError
        accepted = content[: self.room]
        self._waiting += accepted
        return len(accepted)


@implementer(IReactorFDSet)
class FakePoller:
    """A reactor that knows who waits for a descriptor to become writable."""

    def __init__(self) -> None:
        self.writers: list[IWriteDescriptor] = []

    def addWriter(self, writer: IWriteDescriptor) -> None:
        """Note a writer."""
        if writer not in self.writers:
            self.writers.append(writer)

    def removeWriter(self, writer: IWriteDescriptor) -> None:
        """Forget a writer."""
        if writer in self.writers:
            self.writers.remove(writer)

    def callLater(self, _delay: float, function: Callable[..., object], *args: object) -> None:
        """Call a function at once."""
        function(*args)

    def addReader(self, _reader: object) -> None:
        """Not pretended."""
        raise NotImplementedError

    removeReader = addReader

    def removeAll(self) -> list[Any]:
        """Not pretended."""
        raise NotImplementedError

    getReaders = getWriters = removeAll


class KernelTransport(SocketTransport, Connection):  # type: ignore[misc]  # as a test double
    """A pretended TCP connection whose descriptor is a file, into which ``sendfile`` sends.

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
