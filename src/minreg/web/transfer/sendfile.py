"""Sending a range of a file with ``sendfile(2)``, without copying it through this process.

The kernel moves pages of the file to the socket. ``FileSender`` is a producer like those of
``twisted.web.static``, but it writes to the socket and not to the transport's buffer. So it is
also the object that the reactor calls when the socket is writable (``IWriteDescriptor``). The
reactor allows one such object for each file descriptor, and the transport is that already; hence
the ``dup``. What the transport still has to send is sent first.

Meanwhile the socket is corked (tcp(7)): the response's head and the beginning of its body share
a packet, and all packets are full. That alone halves the cost.

Backpressure comes from the kernel: while a client accepts nothing, the socket is not writable and
no memory is used here. The channel aborts a client that stops accepting, as with any response.
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

from minreg.web.disk import READ_AHEAD, DiskIO, cached_size
from minreg.web.request import RegistryRequest
from minreg.web.transfer.ranges import ByteRange
from minreg.web.twisted_private import has_unsent

_MOST_AT_ONCE = 16 * 1024 * 1024
"""Bytes that one call of ``sendfile`` may send. With fewer, each byte costs more processor time
(1 MiB: a quarter more; 4 MiB: a fortieth). With more, other connections wait longer (here 2 ms,
for a client on the same machine; a network accepts less at once)."""


def can_send_files(transport: object) -> bool:
    """Return whether a connection is TCP without TLS, on a reactor that polls descriptors."""
    return (
        isinstance(transport, Connection)
        and not transport.TLS
        and transport.socket.family in (socket.AF_INET, socket.AF_INET6)
        and IReactorFDSet.providedBy(transport.reactor)
    )


@implementer(IPushProducer, IWriteDescriptor)
class FileSender:
    """Sends one range of a file, and closes the file.

    Args:
        request: The request; ``can_send_files`` must hold for its connection.
        file: The file.
        part: The range.
        disk: Reads what is not in the page cache.

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
        """Send the head, and then the range as fast as the client accepts it."""
        self._cork(on=True)
        self._request.write(b"")
        self._request.registerProducer(self, streaming=True)
        self._channel.expect_progress()
        self._wait_until_writable()

    def fileno(self) -> int:
        """Return the descriptor that the reactor polls."""
        return self._descriptor

    def logPrefix(self) -> str:
        """Return the prefix of log lines."""
        return "minreg"

    def doWrite(self) -> None:
        """Send the next bytes: the socket is writable."""
        if has_unsent(self._transport):
            return
        if self._offset >= self._cached_until:
            size = min(self._end - self._offset, _MOST_AT_ONCE)
            size = cached_size(self._file, self._offset, size)
            if not size:
                self._read_ahead(min(self._end - self._offset, READ_AHEAD))
                return
            self._cached_until = self._offset + size
        size = self._cached_until - self._offset
        try:
            sent = os.sendfile(self._descriptor, self._file.fileno(), self._offset, size)
        except BlockingIOError:
            return
        except ConnectionError:
            self._abort_connection()
        except OSError as error:
            self._abort_response(str(error))
        else:
            self._count(sent)

    def connectionLost(self, _reason: Failure) -> None:
        """Stop: the reactor found that nothing more can be sent."""
        self._abort_connection()

    def pauseProducing(self) -> None:
        """Pause: the transport itself has too much to send."""
        self._is_paused = True
        self._reactor.removeWriter(self)

    def resumeProducing(self) -> None:
        """Resume sending."""
        self._is_paused = False
        self._channel.expect_progress()
        self._wait_until_writable()

    def stopProducing(self) -> None:
        """Stop sending, close the file, and uncork the socket."""
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

    def _wait_until_writable(self) -> None:
        if self._descriptor >= 0 and not self._is_paused and not self._is_reading:
            self._reactor.addWriter(self)

    def _read_ahead(self, size: int) -> None:
        """Read the next bytes in a thread, while other connections are served."""
        self._reactor.removeWriter(self)
        self._is_reading = True
        try:
            reading = self._disk.read_ahead(self._file, self._offset, size)
        except OSError as error:
            self._abort_response(str(error))
        else:
            reading.addCallback(self._resume_after_reading, self._offset + size)

    def _resume_after_reading(self, _result: None, end: int) -> None:
        self._is_reading = False
        self._cached_until = end
        self._wait_until_writable()

    def _count(self, sent: int) -> None:
        if not sent:
            self._abort_response("the file was truncated while it was sent")
            return
        self._offset += sent
        self._request.sentLength += sent
        self._channel.expect_progress()
        if self._offset == self._end:
            self.stopProducing()
            self._request.unregisterProducer()
            self._request.finish()

    def _abort_response(self, failure: str) -> None:
        self.stopProducing()
        self._request.break_off(failure)

    def _abort_connection(self) -> None:
        self.stopProducing()
        self._transport.abortConnection()

    def _cork(self, *, on: bool) -> None:
        if self._transport.connected:
            self._transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)


def stream_range(request: RegistryRequest, file: BinaryIO, part: ByteRange, disk: DiskIO) -> None:
    """Send one range of a file, and close the file."""
    sender = _make_sender(request, file, part, disk)
    if sender is not None:
        sender.start()
        return
    from minreg.web.transfer.producers import CheckedFile, RangeProducer  # noqa: PLC0415 - lazily

    RangeProducer(request, CheckedFile(file), part.offset, part.size).start()


def stream_parts(
    request: RegistryRequest, file: BinaryIO, parts: Sequence[tuple[bytes, ByteRange]]
) -> None:
    """Send several ranges of a file, each after some bytes of its own, and close the file."""
    from minreg.web.transfer.producers import CheckedFile, MultipleRangeProducer  # noqa: PLC0415 - lazily

    ranges = [(head, part.offset, part.size) for head, part in parts]
    MultipleRangeProducer(request, CheckedFile(file), ranges).start()


def _make_sender(
    request: RegistryRequest, file: BinaryIO, part: ByteRange, disk: DiskIO
) -> FileSender | None:
    """Return a ``FileSender``; None if the connection or the limit of open files rules it out."""
    if not isinstance(file, FileIO) or not can_send_files(request.channel.transport):
        return None
    try:
        return FileSender(request, file, part, disk)
    except OSError:
        return None
