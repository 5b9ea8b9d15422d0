"""A network in memory: urllib3 and ``http.client`` use fake sockets."""

import io
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import urllib3

from minreg.fill.upstream.transport import Transport

Coming = bytes | Exception
"""What one look at a socket brings: bytes, or that the connection broke."""


class MemoryTransport(Transport):
    """Connects to every server with ``answer``; ``https`` is accepted too, without TLS.

    Args:
        answer: Given the head of a request, gives what the server sends, a piece for each
            time that the socket is read. Then the server hangs up, unless it is asked more.

    ``requests`` has the heads of all requests, ``connections`` counts how many were made.
    """

    def __init__(self, answer: Callable[[bytes], Iterable[Coming]]) -> None:
        super().__init__()
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0

    def connect(self) -> "_Socket":
        """Return a new connection."""
        self.connections += 1
        return _Socket(self)

    def _make_pool(self, proxy: str) -> urllib3.PoolManager:
        """Return pools whose connections are in memory."""
        pool = super()._make_pool(proxy)
        pool.pool_classes_by_scheme = {
            scheme: self._make_pool_class(ordinary)
            for scheme, ordinary in pool.pool_classes_by_scheme.items()
        }
        return pool

    def _make_pool_class(self, ordinary: Any) -> Any:
        transport = self

        class Connection(ordinary.ConnectionCls):
            def connect(self) -> None:
                self.sock = transport.connect()
                self.is_verified = True

            @property
            def is_connected(self) -> bool:
                return self.sock is not None and not self.sock.is_closed

        class Pool(ordinary):
            ConnectionCls = Connection

        return Pool


class _Socket:
    """The client's end of a connection."""

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self._request = bytearray()
        self._timeout: float | None = None
        self._coming: Iterator[Coming] = iter(())
        self._rest = b""
        self.is_closed = False

    def sendall(self, content: bytes) -> None:
        self._request += content
        if self._request.endswith(b"\r\n\r\n"):
            request = bytes(self._request)
            self._request.clear()
            self._transport.requests.append(request)
            self._coming = chain(self._coming, self._transport.answer(request))

    def take(self, size: int) -> bytes:
        """Read one piece of the response, or as much of it as fits."""
        piece = self._rest or next(self._coming, b"")
        if isinstance(piece, Exception):
            raise piece
        self.is_closed = not piece
        self._rest = piece[size:]
        return piece[:size]

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    def shutdown(self, _: int) -> None:
        self._coming, self._rest = iter(()), b""

    def close(self) -> None:
        self.is_closed = True


class _Incoming(io.RawIOBase):
    """The readable stream of a socket."""

    def __init__(self, socket: _Socket) -> None:
        self._socket = socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        taken = self._socket.take(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)


def http_answer(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Return a response with its ``Content-Length``."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
