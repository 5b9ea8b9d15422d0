"""How bytes leave a connection with as little ado as possible."""

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection
from twisted.web.http_headers import Headers


def format_head(status_line: bytes, headers: Headers) -> bytes:
    """Write the head of an answer as one piece."""
    lines = [status_line]
    for name, values in headers.getAllRawHeaders():
        lines += [b"%s: %s" % (name, value) for value in values]
    return b"\r\n".join((*lines, b"", b""))


def send_now(transport: ITransport, content: bytes) -> None:
    """Send without asking first whether there is room, for there nearly always is.

    Twisted asks the reactor, and sends in its next turn: two more system calls for each
    answer. What the kernel does not take at once goes that way.
    """
    if isinstance(transport, Connection) and not (
        transport.dataBuffer or transport._tempDataBuffer  # noqa: SLF001 - nothing else tells
    ):
        sent = transport.writeSomeData(content)
        if isinstance(sent, int):
            content = content[sent:]
    transport.write(content)
