"""How bytes leave a connection with as little ado as possible."""

from http import HTTPStatus
from typing import Protocol

from twisted.internet.interfaces import IReactorTime, ITransport
from twisted.internet.tcp import Connection
from twisted.web.http_headers import Headers

from minreg import __version__
from minreg.web.request import http_date

_BEFORE_DATE = f"\r\nServer: minreg/{__version__}\r\nDate: ".encode("ascii")
_AFTER_DATE = b"\r\nDocker-Distribution-Api-Version: registry/2.0"
"""What all answers say."""

_MOST_TOGETHER = 64
"""Connections whose answers leave together: each may have one of 64 KiB in memory."""


class BufferingChannel(Protocol):
    """A connection that holds an answer back."""

    def send_held(self) -> None:
        """Send what is held."""


class WriteBatcher:
    """Lets answers that are made in one turn of the reactor leave together.

    Each answer wakes its client, and that takes the kernel longer than all the rest of
    sending it; a client of several connections that is awake already need not be woken.
    Nobody waits longer than a turn takes.

    Args:
        clock: Whose turns count.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._holders: list[BufferingChannel] = []

    def add(self, holder: BufferingChannel) -> None:
        """Have a connection send what it holds, before the reactor waits again."""
        if len(self._holders) >= _MOST_TOGETHER:
            self._leave()
        if not self._holders:
            self._clock.callLater(0, self._leave)
        self._holders.append(holder)

    def _leave(self) -> None:
        holders, self._holders = self._holders, []
        for holder in holders:
            holder.send_held()


def format_head(status_line: bytes, headers: Headers, written: bytes = b"") -> bytes:
    """Write the head of an answer as one piece, and what all answers say into it.

    Args:
        status_line: Its first line.
        headers: Its fields.
        written: More of them, each behind a line break.
    """
    parts = [status_line, _BEFORE_DATE, http_date(), _AFTER_DATE, written]
    for name, values in headers.getAllRawHeaders():
        for value in values:
            parts += (b"\r\n", name, b": ", value)
    parts.append(b"\r\n\r\n")
    return b"".join(parts)


def format_refusal(status: int, body: bytes) -> bytes:
    """Write a whole answer to what did not become a request, the last on its connection."""
    headers = Headers()
    headers.setRawHeaders(b"connection", [b"close"])
    headers.setRawHeaders(b"content-type", [b"application/json"])
    headers.setRawHeaders(b"content-length", [b"%d" % len(body)])
    reason = HTTPStatus(status).phrase.encode("ascii")
    return format_head(b"HTTP/1.1 %d %s" % (status, reason), headers) + body


def has_unsent(transport: Connection) -> bool:
    """Tell whether a transport holds bytes that the kernel has not taken yet."""
    return bool(transport.dataBuffer or transport._tempDataBuffer)  # noqa: SLF001 - no other way


def send_now(transport: ITransport, content: bytes) -> None:
    """Send without asking first whether there is room, for there nearly always is.

    Twisted asks the reactor, and sends in its next turn: two more system calls for each
    answer. What the kernel does not take at once goes that way, and errors show there.
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
