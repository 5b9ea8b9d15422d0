"""Lookups while a slow disk is kept busy: does anyone wait who needs no disk?

The server runs in a control group whose reads are held to 20 MB/s (blkio of version 1), and
streams blobs that the kernel has forgotten.
"""

import os
import secrets
import socket
import threading
import time
from contextlib import suppress

from benchmarks.clients import ask, percentile, time_lookups
from benchmarks.content import Content
from benchmarks.servers import Server, Starter

_BLOBS = 16
_SIZE = 32 << 20
_RATE = 20_000_000
_SECONDS = 12
_BLKIO = "/sys/fs/cgroup/blkio"
_GROUP = "minreg-bench"


def measure_cold(starter: Starter, content: Content, name: str) -> dict[str, float]:
    """Measure how long manifests take, in milliseconds, while 16 cold blobs are streamed."""
    blobs = [content.blobs().add([secrets.token_bytes(_SIZE)]) for _ in range(_BLOBS)]
    base = content.config.rpartition("/")[0]
    server = starter.start(name)
    try:
        quiet = time_lookups(server.port, content.manifest, 3)
        _throttle(server, content.directory)
        for blob in blobs:
            _forget(os.path.join(content.directory, base.lstrip("/"), blob))
        streams = [ask(server.port, f"{base}/{blob}") for blob in blobs]
        received = [0]
        reader = threading.Thread(target=_discard, args=(streams, received))
        reader.start()
        begun = time.monotonic()
        busy = time_lookups(server.port, content.manifest, _SECONDS)
        rate = received[0] / (time.monotonic() - begun) / 1e6
        for stream in streams:
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
        reader.join()
        return {
            f"{name}: manifest p99 without streams, ms": percentile(quiet),
            f"{name}: manifest p99 beside 16 cold streams, ms": percentile(busy),
            f"{name}: slowest manifest beside them, ms": max(busy),
            f"{name}: what the streams bring, MB/s": rate,
        }
    finally:
        server.stop()
        with suppress(OSError):
            os.rmdir(os.path.join(_BLKIO, _GROUP))


def _throttle(server: Server, directory: str) -> None:
    """Hold the server's reads from the disk of ``directory`` to 20 MB/s."""
    device = os.stat(directory).st_dev
    group = os.path.join(_BLKIO, _GROUP)
    os.makedirs(group, exist_ok=True)
    limit = f"{os.major(device)}:{os.minor(device)} {_RATE}"
    _write(os.path.join(group, "blkio.throttle.read_bps_device"), limit)
    for pid in server.processes():
        _write(os.path.join(group, "cgroup.procs"), str(pid))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _forget(path: str) -> None:
    """Have the kernel forget a file."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _discard(streams: list[socket.socket], received: list[int]) -> None:
    buffer = bytearray(1 << 20)
    for stream in streams:
        stream.settimeout(0)
    waiting = list(streams)
    while waiting:
        for stream in list(waiting):
            try:
                size = stream.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
            except BlockingIOError:
                continue
            except ConnectionError:
                size = 0
            received[0] += size
            if not size:
                waiting.remove(stream)
                stream.close()
        time.sleep(0.001)
