"""Clients: one that discards what it gets as fast as the kernel can, and wrk."""

import re
import selectors
import socket
import subprocess
import time
from collections.abc import Sequence

import attrs

_PIECE = 1 << 20
_ENDPOINT = "127.0.0.1"


@attrs.frozen
class Streamed:
    """What some streams, all at once, have brought: bytes, and the seconds of each of them."""

    size: int
    seconds: Sequence[float]


@attrs.frozen
class Looked:
    """What wrk has found: answers per second, and how many were no 2xx or 3xx."""

    rate: float
    answers: int
    errors: int


def ask(port: int, path: str, *headers: str) -> socket.socket:
    """Open a connection and send one GET."""
    client = socket.create_connection((_ENDPOINT, port), timeout=60)
    lines = [f"GET {path} HTTP/1.1", "Host: bench", "Connection: close", *headers, "", ""]
    client.sendall("\r\n".join(lines).encode("ascii"))
    return client


def stream(port: int, path: str, count: int) -> Streamed:
    """Get a blob on ``count`` connections at once, and let the kernel discard it.

    With MSG_TRUNC nothing is copied to the client (tcp(7)), so that the server is measured.
    """
    begun = time.monotonic()
    buffer = bytearray(_PIECE)
    size = 0
    seconds = []
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            client = ask(port, path)
            client.settimeout(0)
            selector.register(client, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(60):
                client = key.fileobj  # type: ignore[assignment]  # only sockets are registered
                received = client.recv_into(buffer, _PIECE, socket.MSG_TRUNC)
                size += received
                if not received:
                    seconds.append(time.monotonic() - begun)
                    selector.unregister(client)
                    client.close()
    return Streamed(size, seconds)


def look_up(port: int, path: str, connections: int, seconds: int, *headers: str) -> Looked:
    """Ask for the same path over and over, on some connections that stay open."""
    options = [option for header in headers for option in ("-H", header)]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *options]
    url = f"http://{_ENDPOINT}:{port}{path}"
    said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    return Looked(
        _find(r"Requests/sec:\s+([\d.]+)", said),
        int(_find(r"(\d+) requests in", said)),
        int(_find(r"Non-2xx or 3xx responses: (\d+)", said)),
    )


def time_lookups(port: int, path: str, seconds: float) -> list[float]:
    """Ask on one connection, every two milliseconds; return the milliseconds of each answer."""
    found = []
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode("ascii")
    with socket.create_connection(("127.0.0.1", port)) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.monotonic()
            client.sendall(request)
            client.recv(1 << 16)
            found.append((time.monotonic() - begun) * 1000)
            time.sleep(0.002)
    return found


def percentile(values: list[float]) -> float:
    """Find the value that 99 of 100 do not exceed."""
    return sorted(values)[int(len(values) * 0.99)]


def _find(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return 0 if found is None else float(found[1])
