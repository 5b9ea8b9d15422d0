"""A TLS proxy before the daemon, with certificates made by openssl."""

import os
import socket
import ssl
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

import attrs

from tests.e2e.programs import run


@attrs.frozen
class Certificate:
    """A certificate and its key, as files."""

    path: str
    key: str


class Authority:
    """A private certificate authority.

    Args:
        directory: Where its files lie.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.certificate = self._make("authority", "-subj", "/CN=minreg's tests")

    def certify(self, name: str) -> Certificate:
        """Create a certificate for a name or an address, such as ``IP:127.0.0.1``."""
        signed = ("-CA", self.certificate.path, "-CAkey", self.certificate.key)
        extension = ("-addext", f"subjectAltName={name}", "-subj", "/CN=minreg")
        return self._make(name.replace(":", "-"), *signed, *extension)

    def _make(self, name: str, *arguments: str) -> Certificate:
        made = Certificate(
            *(os.path.join(self._directory, f"{name}.{end}") for end in ("crt", "key"))
        )
        new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
        run("openssl", *new, *arguments, "-keyout", made.key, "-out", made.path)
        return made


class TlsProxy(ThreadingTCPServer):
    """Accepts TLS from clients, and forwards bytes to the daemon.

    Args:
        port: Where the daemon listens on 127.0.0.1.
        certificate: The certificate that it shows.
        clients: The authority whose certificates clients must have, if they need any.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, port: int, certificate: Certificate, clients: Authority | None = None
    ) -> None:
        self.daemon_address = ("127.0.0.1", port)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.path, certificate.key)
        if clients is not None:
            self.context.load_verify_locations(clients.certificate.path)
            self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__(("127.0.0.1", 0), _Line)
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """The proxy's URL."""
        return f"https://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()


class _Line(BaseRequestHandler):
    """A connection from a client through the proxy to the daemon."""

    server: TlsProxy
    request: socket.socket

    def handle(self) -> None:
        """Forward bytes in both directions until one side closes."""
        try:
            client = self.server.context.wrap_socket(self.request, server_side=True)
        except OSError:
            return  # the client does not want to speak with us, or has no certificate
        with client, socket.create_connection(self.server.daemon_address) as upstream:
            Thread(target=_pass, args=(upstream, client), daemon=True).start()
            _pass(client, upstream)


def _pass(source: socket.socket, target: socket.socket) -> None:
    try:
        while content := source.recv(1 << 16):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one of them has left
