"""Many clients at once: what they cost in memory, and whether anything is left of them."""

import asyncio
import os
import resource
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.clients import ask
from benchmarks.content import Content
from benchmarks.servers import MINREG, Server, Starter

_SLOW = 1000
_IDLE = 10_000
_PULLS = 200
_IMAGES = 8
_LAYERS = 3
_LAYER = 1 << 20
_GREETING = b"GET /v2/ HTTP/1.1\r\nHost: bench\r\n\r\n"


def measure_crowds(starter: Starter, content: Content) -> dict[str, float]:
    """Measure what crowds cost minreg; every figure has its name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with _running(starter) as server:
        figures = {"idle, MB": server.resident() / 1e6}
        figures["1,000 slow clients, + MB"] = _growth(server, _slow_clients(server, content))
    with _running(starter) as server:
        figures["10,000 idle connections, + MB"] = _growth(server, _idle_clients(server))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with _running(starter) as server:
        figures |= _pull(server, content)
    return figures


def measure_start(starter: Starter, directory: str) -> dict[str, float]:
    """Measure the start over an empty tree and over 10,000 repositories of ten tags."""
    figures = {}
    for words, repositories in (("empty", 0), ("10,000 x 10", 10_000)):
        root = os.path.join(directory, f"tree-{repositories}")
        os.makedirs(root)
        for number in range(repositories):
            manifests = os.path.join(root, f"group-{number % 100}", f"name-{number}", "manifests")
            os.makedirs(manifests)
            for tag in range(10):
                os.symlink(f"sha256:{number:064x}", os.path.join(manifests, f"v{tag}"))
        seconds = []
        for _ in range(5):
            server = starter.minreg("start", root)
            seconds.append(server.start_seconds)
            server.stop()
        figures[f"start, {words}, s"] = sorted(seconds)[2]
    return figures


@contextmanager
def _running(starter: Starter) -> Iterator[Server]:
    server = starter.start(MINREG)
    time.sleep(1)
    try:
        yield server
    finally:
        server.stop()


def _growth(server: Server, clients: Iterator[socket.socket]) -> float:
    """Tell by how many megabytes a server grows while clients are there."""
    before = server.resident()
    connected = list(clients)
    _wait_until_idle(server)
    growth = server.resident() - before
    for client in connected:
        client.close()
    return growth / 1e6


def _slow_clients(server: Server, content: Content) -> Iterator[socket.socket]:
    for _ in range(_SLOW):
        yield ask(server.port, content.layer)


def _idle_clients(server: Server) -> Iterator[socket.socket]:
    for _ in range(_IDLE):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(_GREETING)
        client.recv(1000)
        yield client


def _wait_until_idle(server: Server) -> None:
    before = -1.0
    while server.cpu_seconds() - before > 0.01:
        before = server.cpu_seconds()
        time.sleep(0.5)


def _pull(server: Server, content: Content) -> dict[str, float]:
    """Let 200 nodes pull eight images each, as containerd does; nothing must be left."""
    paths = _write_images(content)
    time.sleep(1.5)
    before = server.open_files()
    begun = time.monotonic()
    errors = asyncio.run(_pull_all(server.port, paths))
    seconds = time.monotonic() - begun
    _wait_until_idle(server)
    return {
        "200 pulls: s": seconds,
        "200 pulls: errors": errors,
        "200 pulls: files left open": server.open_files() - before,
    }


def _write_images(content: Content) -> list[tuple[str, list[str]]]:
    """Write eight images; name for each its manifest's path and those of its layers."""
    images = []
    for number in range(_IMAGES):
        layers = [content.blobs().add([secrets.token_bytes(_LAYER)]) for _ in range(_LAYERS)]
        tag = f"pull-{number}"
        content.blobs().add_manifest(content.describe(dict.fromkeys(layers, _LAYER)), tag)
        blob = content.config.rpartition("/")[0]
        manifest = content.manifest.rpartition("/")[0]
        images.append((f"{manifest}/{tag}", [f"{blob}/{layer}" for layer in layers]))
    return images


async def _pull_all(port: int, images: list[tuple[str, list[str]]]) -> int:
    pulls = (_pull_images(port, images, number) for number in range(_PULLS))
    return sum(await asyncio.gather(*pulls))


async def _pull_images(port: int, images: list[tuple[str, list[str]]], number: int) -> int:
    """Pull all images, beginning with another one each time; count what goes wrong."""
    errors = 0
    for manifest, layers in images[number % _IMAGES :] + images[: number % _IMAGES]:
        for method in ("HEAD", "GET"):
            errors += not await _fetch(port, manifest, 0, 0, method)
        first = number % 5 == 0
        fetched = (
            _fetch_with_break(port, layer) if first else _fetch(port, layer, 0, _LAYER)
            for layer in layers
        )
        errors += list(await asyncio.gather(*fetched)).count(False)
    return errors


async def _fetch_with_break(port: int, path: str) -> bool:
    """Leave in the middle of a layer, and come back for the rest."""
    half = _LAYER // 2
    return await _fetch(port, path, 0, half) and await _fetch(port, path, half, _LAYER - half)


async def _fetch(port: int, path: str, offset: int, size: int, method: str = "GET") -> bool:
    """Ask from an offset on, open-ended, and read so many bytes, or only the head."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    lines += [f"Range: bytes={offset}-"] if size else []
    writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    finally:
        writer.close()
    return head.split(b" ", 2)[1] == (b"206" if size else b"200")
