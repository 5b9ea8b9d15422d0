"""How bytes leave a connection with as little ado as possible."""

from contextlib import suppress
from http import HTTPStatus

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection
from twisted.web.http_headers import Headers

from minreg.web.request import API_VERSION, SERVER, http_date


def format_head(status_line: bytes, headers: Headers) -> bytes:
    """Write the head of an answer as one piece."""
    lines = [status_line]
    for name, values in headers.getAllRawHeaders():
        lines += [b"%s: %s" % (name, value) for value in values]
    return b"\r\n".join((*lines, b"", b""))


def format_refusal(status: int, body: bytes) -> bytes:
    """Write a whole answer to what did not become a request, the last on its connection."""
    head = (
        b"HTTP/1.1 %d %s\r\nServer: %s\r\nDate: %s\r\n"
        b"Docker-Distribution-API-Version: %s\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    reason = HTTPStatus(status).phrase.encode("ascii")
    return head % (status, reason, SERVER, http_date(), API_VERSION, len(body)) + body


def has_unsent(transport: Connection) -> bool:
    """Tell whether a transport holds bytes that the kernel has not taken yet."""
    return bool(transport.dataBuffer or transport._tempDataBuffer)  # noqa: SLF001 - no other way


def send_now(transport: ITransport, content: bytes) -> None:
    """Send without asking first whether there is room, for there nearly always is.

    Twisted asks the reactor, and sends in its next turn: two more system calls for each
    answer. What the kernel does not take at once goes that way, and errors show there.
    """
    if isinstance(transport, Connection) and not has_unsent(transport):
        with suppress(OSError):
            content = content[transport.socket.send(content) :]
    if content:
        transport.write(content)
