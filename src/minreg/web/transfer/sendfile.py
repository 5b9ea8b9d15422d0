"""Sends a stretch of a file without bringing its bytes into this program.

``sendfile(2)`` hands pages of the file to the socket inside the kernel. It is a producer
like those of ``twisted.web.static``, but it feeds the socket and not the transport's buffer,
so it also is what the reactor calls when the socket has room (``IWriteDescriptor``). The
reactor knows one caller for each file descriptor, and the transport is that one: hence
``dup``. What the transport still has to send goes first.

While it sends, the socket is corked (tcp(7)): the head and the body's beginning share a
packet, and all packets are full. That alone halves the cost.

Backpressure is the kernel's: a client that takes nothing costs no memory here, for the
socket is not writable then. It is cut off as anyone who takes nothing is, by the channel.
"""

import os
import socket
from collections.abc import Sequence
from io import FileIO
from typing import BinaryIO

from twisted.internet.interfaces import IPushProducer, IReactorFDSet, IWriteDescriptor
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer

from minreg.web.disk import AT_ONCE, DiskIO, cached_size
from minreg.web.request import RegistryRequest
from minreg.web.responses import has_unsent
from minreg.web.transfer.ranges import ByteRange

_PIECE = 16 * 1024 * 1024
"""Bytes that one call of ``sendfile`` may send. Fewer cost more processor time for each of
them (1 MiB: by a quarter; 4 MiB: by a fortieth); more let others wait longer (2 ms, for a
client on the same machine; a network takes less at once)."""


def can_send_files(transport: object) -> bool:
    """Tell whether a connection is plain TCP on a reactor that waits for descriptors."""
    return (
        isinstance(transport, Connection)
        and not transport.TLS
        and transport.socket.family in (socket.AF_INET, socket.AF_INET6)
        and IReactorFDSet.providedBy(transport.reactor)
    )


@implementer(IPushProducer, IWriteDescriptor)
class FileSender:
    """Sends one stretch of a file, and closes it.

    Args:
        request: Whose body it is; on a connection that ``can_send_files``.
        file: The file.
        part: Which bytes of it.
        disk: Reads what is not in memory.

    Raises:
        OSError: There are too many open files.
    """

    def __init__(
        self, request: RegistryRequest, file: BinaryIO, part: ByteRange, disk: DiskIO
    ) -> None:
        self._request = request
        self._channel = request.channel
        self._transport: Connection = request.channel.transport
        self._reactor = self._transport.reactor
        self._file = file
        self._offset = part.offset
        self._end = part.offset + part.size
        self._cached_until = part.offset
        self._is_reading = False
        self._disk = disk
        self._descriptor = os.dup(self._transport.fileno())
        self._is_paused = False

    def start(self) -> None:
        """Send the head, and the stretch as fast as the client takes it."""
        self._cork(on=True)
        self._request.write(b"")
        self._request.registerProducer(self, streaming=True)
        self._channel.expect_progress()
        self._go_on()

    def fileno(self) -> int:
        """Name the descriptor that the reactor waits for."""
        return self._descriptor

    def logPrefix(self) -> str:
        """Say who is at work."""
        return "minreg"

    def doWrite(self) -> None:
        """Send the next piece: the socket has room."""
        if has_unsent(self._transport):
            return
        if self._offset >= self._cached_until:
            size = min(self._end - self._offset, _PIECE)
            size = cached_size(self._file, self._offset, size)
            if not size:
                self._read(min(self._end - self._offset, AT_ONCE))
                return
            self._cached_until = self._offset + size
        size = self._cached_until - self._offset
        try:
            sent = os.sendfile(self._descriptor, self._file.fileno(), self._offset, size)
        except BlockingIOError:
            return
        except ConnectionError:
            self._abort()
        except OSError as error:
            self._break_off(str(error))
        else:
            self._count(sent)

    def connectionLost(self, _reason: Failure) -> None:
        """Learn from the reactor that nothing more can be sent."""
        self._abort()

    def pauseProducing(self) -> None:
        """Wait: the transport has too much to send of its own."""
        self._is_paused = True
        self._reactor.removeWriter(self)

    def resumeProducing(self) -> None:
        """Go on."""
        self._is_paused = False
        self._channel.expect_progress()
        self._go_on()

    def stopProducing(self) -> None:
        """Send no more, and leave the socket as it was."""
        if self._descriptor < 0:
            return
        self._reactor.removeWriter(self)
        # One call of epoll_wait(2) may bring an event for the socket and one for this duplicate.
        # A connection that is accepted between them must not get the duplicate's number, or the
        # second event would close it. The reactor forgets all events before it makes this call.
        self._reactor.callLater(0, os.close, self._descriptor)
        self._descriptor = -1
        self._file.close()
        self._cork(on=False)

    def _go_on(self) -> None:
        if self._descriptor >= 0 and not self._is_paused and not self._is_reading:
            self._reactor.addWriter(self)

    def _read(self, size: int) -> None:
        """Have a piece read before it is sent; others are served meanwhile."""
        self._reactor.removeWriter(self)
        self._is_reading = True
        try:
            reading = self._disk.read_ahead(self._file, self._offset, size)
        except OSError as error:
            self._break_off(str(error))
        else:
            reading.addCallback(self._have_read, self._offset + size)

    def _have_read(self, _read: None, end: int) -> None:
        self._is_reading = False
        self._cached_until = end
        self._go_on()

    def _count(self, sent: int) -> None:
        if not sent:
            self._break_off("the file was cut short while it was sent")
            return
        self._offset += sent
        self._request.sentLength += sent
        self._channel.expect_progress()
        if self._offset == self._end:
            self.stopProducing()
            self._request.unregisterProducer()
            self._request.finish()

    def _break_off(self, failure: str) -> None:
        self.stopProducing()
        self._request.break_off(failure)

    def _abort(self) -> None:
        self.stopProducing()
        self._transport.abortConnection()

    def _cork(self, *, on: bool) -> None:
        if self._transport.connected:
            self._transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)


SMALL = 64 * 1024
"""Bytes up to which content goes out in one piece."""


def stream_range(request: RegistryRequest, file: BinaryIO, part: ByteRange, disk: DiskIO) -> None:
    """Send one stretch of a file, and close it."""
    sender = _make_sender(request, file, part, disk)
    if sender is not None:
        sender.start()
        return
    from minreg.web.transfer.producers import CheckedFile, RangeProducer  # noqa: PLC0415 - see above

    RangeProducer(request, CheckedFile(file), part.offset, part.size).start()


def stream_parts(
    request: RegistryRequest, file: BinaryIO, parts: Sequence[tuple[bytes, ByteRange]]
) -> None:
    """Send several stretches of a file, each behind some bytes of its own, and close it."""
    from minreg.web.transfer.producers import CheckedFile, MultipleRangeProducer  # noqa: PLC0415 - see above

    stretches = [(head, part.offset, part.size) for head, part in parts]
    MultipleRangeProducer(request, CheckedFile(file), stretches).start()


def _make_sender(
    request: RegistryRequest, file: BinaryIO, part: ByteRange, disk: DiskIO
) -> FileSender | None:
    """Make what sends a file inside the kernel, if the connection and the limits allow it."""
    if not isinstance(file, FileIO) or not can_send_files(request.channel.transport):
        return None
    try:
        return FileSender(request, file, part, disk)
    except OSError:
        return None
