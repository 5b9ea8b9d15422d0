"""Tests for clients that read slowly, or not at all."""

import os
import socket
import time

from tests.e2e.support import EndToEndTestCase

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
REQUEST = f"GET /v2/rancher/large/blobs/{DIGEST} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
GIBIBYTE = 1 << 30
CLIENTS = 100
MOST_GROWTH = 20_000_000
"""Bytes by which the daemon may grow."""


class BackpressureTests(EndToEndTestCase):
    """Tests for a blob of 1 GiB that many clients request."""

    def setUp(self) -> None:
        """Serve a large blob, whose file is sparse."""
        root = self.make_directory()
        os.makedirs(os.path.join(root, "rancher", "large", "manifests"))
        blobs = os.path.join(root, "rancher", "large", "blobs")
        os.makedirs(blobs)
        self.blob = os.path.realpath(os.path.join(blobs, DIGEST))
        with open(self.blob, "wb") as file:
            file.truncate(GIBIBYTE)
        self.daemon = self.start_daemon(root)

    def test_clients_that_read_nothing(self) -> None:
        """A hundred clients that do not read need little memory; their files are closed."""
        self.ask_and_leave(1)
        before = self.resident()
        clients = self.connect(CLIENTS)
        self.wait_until(lambda: self.open_blobs() == CLIENTS)
        self.wait_until(self.is_idle)
        growth = self.resident() - before
        for client in clients:
            client.close()
        self.wait_until(lambda: self.open_blobs() == 0)
        self.assertLess(growth, MOST_GROWTH)
        self.assert_still_serves()

    def ask_and_leave(self, count: int) -> None:
        """Load everything that a transfer needs."""
        for client in self.connect(count):
            client.recv(1 << 16)
            client.close()
        self.wait_until(lambda: self.open_blobs() == 0)

    def connect(self, count: int) -> list[socket.socket]:
        """Request the blob on so many connections."""
        address = ("127.0.0.1", self.daemon.port)
        clients = [socket.create_connection(address, timeout=10) for _ in range(count)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(REQUEST)
        return clients

    def assert_still_serves(self) -> None:
        """Check that another client gets the beginning of the blob."""
        (client,) = self.connect(1)
        self.assertEqual(client.recv(15), b"HTTP/1.1 200 OK")

    def resident(self) -> int:
        """Return the bytes of memory that only the daemon uses."""
        with open(f"/proc/{self.daemon.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def open_blobs(self) -> int:
        """Return how often the daemon has the blob open."""
        directory = f"/proc/{self.daemon.pid}/fd"
        return sum(
            _target(os.path.join(directory, name)) == self.blob for name in os.listdir(directory)
        )

    def is_idle(self) -> bool:
        """Return whether the daemon used no processor time for a while."""
        before = self.processor_time()
        time.sleep(0.5)
        return self.processor_time() == before

    def processor_time(self) -> int:
        """Return the processor time of the daemon, in ticks."""
        with open(f"/proc/{self.daemon.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])


def _target(link: str) -> str:
    """Return the target of a link, which the daemon may remove at any time."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""
