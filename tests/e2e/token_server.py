"""A token server for docker-registry: tokens signed by openssl, for an account or anyone.

Source: the distribution project's token authentication specification; RFC 7515 (JWS).
"""

import base64
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

ISSUER = "minreg tests"
SERVICE = "the registry"


class TokenServer:
    """The server; it runs in a ``with`` statement.

    Args:
        directory: For its key and certificate; it is made.
        account: The ``name:password`` that it wants; empty if anybody may pull.

    ``life`` is how many seconds from now its tokens end, and ``stated`` how many it says;
    ``scopes`` has what was asked for.
    """

    def __init__(self, directory: str, account: str = "") -> None:
        os.makedirs(directory)
        self.key = os.path.join(directory, "key.pem")
        self.certificate = os.path.join(directory, "certificate.pem")
        self.account = account
        self.life = 300
        self.stated = 300
        self.scopes: list[str] = []
        self._make_certificate()
        server = self

        class Handler(_Handler):
            owner = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def configuration(self) -> str:
        """The registry's ``auth`` section."""
        port = self._server.server_address[1]
        return (
            f"auth: {{token: {{realm: 'http://127.0.0.1:{port}/token', service: '{SERVICE}', "
            f"issuer: '{ISSUER}', rootcertbundle: {self.certificate}}}}}\n"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def make_token(self, scope: str) -> str:
        """Return a token for a scope such as ``repository:a:pull``."""
        kind, name, actions = scope.split(":")
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": "",
            "aud": SERVICE,
            "exp": now + self.life,
            "nbf": now - 3600,
            "iat": now - 3600,
            "jti": str(time.monotonic_ns()),
            "access": [{"type": kind, "name": name, "actions": actions.split(",")}],
        }
        with open(self.certificate, encoding="ascii") as file:
            lines = file.read().splitlines()
        header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(lines[1:-1])]}
        signed = f"{_encode(json.dumps(header).encode())}.{_encode(json.dumps(claims).encode())}"
        fingerprint = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.key],
            input=signed.encode("ascii"),
            check=True,
            capture_output=True,
        ).stdout
        return f"{signed}.{_encode(fingerprint)}"

    def _make_certificate(self) -> None:
        subprocess.run(
            [
                *[
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "rsa:2048",
                    "-nodes",
                    "-subj",
                    "/CN=minreg",
                ],
                *("-keyout", self.key, "-out", self.certificate),
            ],
            check=True,
            capture_output=True,
        )


class _Handler(BaseHTTPRequestHandler):
    owner: TokenServer

    def do_GET(self) -> None:
        """Send a token to clients that may have one."""
        server = self.owner
        given = (self.headers.get("Authorization") or "").removeprefix("Basic ")
        if server.account and base64.b64decode(given).decode() != server.account:
            self.send_error(401)
            return
        scope = parse_qs(urlsplit(self.path).query)["scope"][0]
        server.scopes.append(scope)
        answer = {"token": server.make_token(scope), "expires_in": server.stated}
        body = json.dumps(answer).encode("ascii")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Do not log."""


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
