"""An HTTP proxy for plain requests and tunnels (CONNECT)."""

import http.client
import selectors
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit


class ForwardProxy:
    """The proxy; it runs in a ``with`` statement.

    ``requests`` has what it was asked for; so many of the first tunnels as ``collapsing``
    says end as soon as something comes from the client.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str | None]] = []
        self.collapsing = 0
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: ForwardProxy

    def do_GET(self) -> None:
        """Forward a request to the server in the URL."""
        self._note()
        parts = urlsplit(self.path)
        connection = http.client.HTTPConnection(parts.netloc)
        headers = {
            name: value for name, value in self.headers.items() if name != "Proxy-Authorization"
        }
        connection.request(self.command, parts.path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        self.send_response(response.status)
        for name, value in response.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        connection.close()

    do_HEAD = do_GET

    def do_CONNECT(self) -> None:
        """Open a tunnel."""
        self._note()
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as server:
            self.send_response(200)
            self.end_headers()
            if self.owner.collapsing > 0:
                self.owner.collapsing -= 1
                self.connection.recv(65536)
                return
            _relay(self.connection, server)

    def _note(self) -> None:
        account = self.headers.get("Proxy-Authorization")
        self.owner.requests.append((self.command, self.path, account))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Do not log."""


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Forward bytes in both directions until one side closes."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                source: Any = key.fileobj
                content = source.recv(65536)
                if not content:
                    return
                key.data.sendall(content)
