"""A proxy that interrupts connections between a client and the daemon."""

import socket
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Lock, Thread


class CuttingProxy(ThreadingTCPServer):
    """Forwards bytes between client and daemon, and interrupts one long response.

    Args:
        port: Where the daemon listens.
        most: How many bytes of the answer get through before the connection ends.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, most: int) -> None:
        super().__init__(("127.0.0.1", 0), _Line)
        self.daemon_address = ("127.0.0.1", port)
        self.most = most
        self.has_cut = False
        self.lock = Lock()
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """The proxy's URL."""
        return f"127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    def cuts(self, passed: int) -> bool:
        """Return whether a connection that has forwarded so many bytes ends here."""
        with self.lock:
            cuts = passed > self.most and not self.has_cut
            self.has_cut = self.has_cut or cuts
            return cuts


class _Line(BaseRequestHandler):
    """A connection from a client through the proxy to the daemon."""

    server: CuttingProxy
    request: socket.socket

    def handle(self) -> None:
        """Forward bytes in both directions until one side closes."""
        with socket.create_connection(self.server.daemon_address) as upstream:
            Thread(target=self._pass_requests, args=(upstream,), daemon=True).start()
            passed = 0
            while (content := upstream.recv(1 << 16)) and not self.server.cuts(passed):
                self.request.sendall(content)
                passed += len(content)

    def _pass_requests(self, upstream: socket.socket) -> None:
        try:
            while content := self.request.recv(1 << 16):
                upstream.sendall(content)
            upstream.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the line was cut
