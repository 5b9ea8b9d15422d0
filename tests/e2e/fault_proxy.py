"""A proxy before a real registry that changes its responses as faulty networks do."""

import http.client
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import attrs

PIECE = 16 * 1024
"""Bytes of a body that are written at a time."""

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "date", "server"})


@attrs.define
class Resolution:
    """The response of the registry, for a fault to change.

    ``cut_at`` closes the connection after so many bytes of the body, ``reset_at`` with a
    reset, and ``stall_at`` stops sending there; ``stated`` is the ``Content-Length`` if it is
    not the true one; ``pause`` is a number of seconds after each ``PIECE`` bytes of the body.
    """

    path: str
    status: int
    headers: dict[str, str]
    body: bytes
    cut_at: int | None = None
    reset_at: int | None = None
    stall_at: int | None = None
    stated: int | None = None
    pause: float = 0


Fault = Callable[[Resolution], None]


class FaultProxy:
    """The proxy, on a free port of this machine; it runs in a ``with`` statement.

    Args:
        port: Where the real registry listens.

    ``faults`` are done to the first answers whose path has the key in it, one each;
    ``requests`` has the method, path and Authorization of each request, and ``sent`` the
    bytes of bodies that went out for each path.
    """

    def __init__(self, port: int) -> None:
        self.upstream_port = port
        self.faults: dict[str, list[Fault]] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.sent: Counter[str] = Counter()
        self.done = threading.Event()
        self.mutex = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def host(self) -> str:
        """The proxy's address in image references."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def find_fault(self, path: str) -> Fault | None:
        """Return the next fault for a path, if there is one, and remove it."""
        with self.mutex:
            for part, faults in self.faults.items():
                if part in path and faults:
                    return faults.pop(0)
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not report clients that disconnect, which faults cause."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FaultProxy

    def do_GET(self) -> None:
        """Forward a request, and send its response with a fault."""
        proxy = self.owner
        with proxy.mutex:
            proxy.requests.append((self.command, self.path, self.headers.get("Authorization")))
        answer = self._ask()
        fault = proxy.find_fault(self.path)
        if fault is not None:
            fault(answer)
        self._send(answer)

    do_HEAD = do_GET

    def _ask(self) -> Resolution:
        connection = http.client.HTTPConnection("127.0.0.1", self.owner.upstream_port)
        connection.request(self.command, self.path, headers=dict(self.headers))
        response = connection.getresponse()
        body = response.read()
        connection.close()
        headers = {
            name: value for name, value in response.getheaders() if name.lower() not in _HOP_BY_HOP
        }
        answer = Resolution(self.path, response.status, headers, body)
        if self.command == "HEAD":
            answer.stated = int(response.getheader("Content-Length") or 0)
        return answer

    def _send(self, answer: Resolution) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        length = len(answer.body) if answer.stated is None else answer.stated
        self.send_header("Content-Length", str(length))
        self.end_headers()
        ends = (answer.cut_at, answer.reset_at, answer.stall_at)
        end = min((at for at in ends if at is not None), default=None)
        self._send_body(answer, answer.body[:end])
        if answer.stall_at is not None:
            self.owner.done.wait()
        if answer.reset_at is not None:
            self._reset()
        if end is not None:
            self.close_connection = True

    def _reset(self) -> None:
        """Close the connection with a reset, after the sent data has arrived (SO_LINGER)."""
        self.owner.done.wait(0.1)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _send_body(self, answer: Resolution, body: bytes) -> None:
        for start in range(0, len(body), PIECE):
            piece = body[start : start + PIECE]
            self.wfile.write(piece)
            with self.owner.mutex:
                self.owner.sent[answer.path] += len(piece)
            self.owner.done.wait(answer.pause)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Do not log."""
