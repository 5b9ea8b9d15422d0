"""Batches what is written in one iteration of the reactor: responses, and lines of the log.

A system call costs a large part of the time of a repeated request. Clients cannot distinguish
bytes that were written at once from bytes that were written before the reactor waits again.
"""

from typing import Any, Protocol, TextIO

from twisted.internet.interfaces import IReactorTime, ITransport
from twisted.internet.tcp import Connection

from minreg.web.twisted_private import has_unsent

_LARGEST_BATCH = 64
"""Connections whose responses are sent together: each may have one of 64 KiB in memory."""

_PIPE_BUFFER = 4096
"""Bytes that a pipe accepts in one piece, even with several writers (PIPE_BUF, pipe(7))."""


class BatchedWriter(Protocol):
    """A connection that has bytes to send when the iteration ends."""

    def flush(self) -> None:
        """Send these bytes."""


class WriteBatcher:
    """Sends the responses that are made in one iteration of the reactor together.

    Each response wakes its client, which takes the kernel longer than the rest of sending it. A
    client with several connections is woken once for a batch.

    Args:
        clock: The reactor.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._writers: list[BatchedWriter] = []

    def add(self, writer: BatchedWriter) -> None:
        """Flush a connection before the reactor waits again."""
        if len(self._writers) >= _LARGEST_BATCH:
            self._flush()
        if not self._writers:
            self._clock.callLater(0, self._flush)
        self._writers.append(writer)

    def _flush(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.flush()


def send_now(transport: ITransport, content: bytes) -> None:
    """Send bytes at once, without waiting until the socket is writable: it nearly always is.

    ``transport.write`` sends in the next iteration of the reactor, with two more system calls for
    each response. It gets the bytes that the kernel does not accept at once, and reports errors.
    """
    if isinstance(transport, Connection) and not has_unsent(transport):
        try:
            sent = transport.socket.send(content)
        except OSError:
            sent = 0
        if sent == len(content):
            return
        content = content[sent:]
    transport.write(content)


class BufferedLog:
    """A text stream that buffers lines, and writes them once in each iteration of the reactor.

    While the reactor does not run, each line is written at once. If the process is killed
    (SIGKILL, a power failure), the lines of one iteration are lost.

    Args:
        stream: The stream that the lines are written to.
        reactor: The reactor.
    """

    def __init__(self, stream: TextIO, reactor: Any) -> None:
        self._stream = stream
        self._reactor = reactor
        self._lines: list[str] = []
        self._size = 0
        self._is_scheduled = False
        reactor.addSystemEventTrigger("after", "shutdown", self._write_through)

    def write(self, line: str) -> None:
        """Buffer a line."""
        size = len(line) if line.isascii() else len(line.encode())
        if self._size + size > _PIPE_BUFFER:
            self._write_through()
        self._lines.append(line)
        self._size += size

    def flush(self) -> None:
        """Schedule the buffered lines to be written at the end of this iteration."""
        if not self._reactor.running:
            self._write_through()
        elif not self._is_scheduled:
            self._is_scheduled = True
            self._reactor.callLater(0, self._end_iteration)

    def _end_iteration(self) -> None:
        self._is_scheduled = False
        self._write_through()

    def _write_through(self) -> None:
        lines, self._lines, self._size = self._lines, [], 0
        self._stream.write("".join(lines))
        self._stream.flush()
