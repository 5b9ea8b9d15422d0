"""Tests for a disk that does not respond."""

import os
import signal
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import attrs

from tests.e2e.images import digest_of
from tests.e2e.stalls import Stall
from tests.e2e.support import EndToEndTestCase

PATIENCE = 3
"""Seconds within which a client gets an answer, whatever the disk does."""


@attrs.frozen
class Resolution:
    """A client's response, and its time in seconds."""

    status: int
    body: bytes
    seconds: float


class StallTests(EndToEndTestCase):
    """Tests for a blob on a disk that does not respond, and one on a disk that does."""

    def setUp(self) -> None:
        """Serve both."""
        self.root = self.make_directory()
        os.makedirs(os.path.join(self.root, "sample", "manifests"))
        os.makedirs(os.path.join(self.root, "sample", "blobs"))
        self.stalled = self.add_blob(bytes(10_000_000))
        self.sound = self.add_blob(b"sound" * 100_000)
        self.daemon = self.start_daemon(self.root)

    def add_blob(self, content: bytes) -> str:
        """Write a blob, and return its digest."""
        digest = digest_of(content)
        with open(self.path(digest), "wb") as file:
            file.write(content)
        return digest

    def path(self, digest: str) -> str:
        """Return the path of a blob."""
        return os.path.join(self.root, "sample", "blobs", digest)

    def stall(self) -> None:
        """Make the disk of one blob block until the test ends."""
        stall = Stall(self.path(self.stalled))
        # It ends before the daemon does, whose threads would wait for it.
        self.addCleanup(stall.end)

    def ask(self, digest: str) -> Resolution:
        """Fetch a blob."""
        begun = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.daemon.port, timeout=10)
        try:
            connection.request("GET", f"/v2/sample/blobs/{digest}")
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        return Resolution(response.status, body, time.monotonic() - begun)

    def ask_often(self, digest: str, count: int) -> Sequence[Resolution]:
        """Fetch a blob on many connections at once."""
        with ThreadPoolExecutor(count) as clients:
            return list(clients.map(self.ask, [digest] * count))

    def test_file_that_cannot_be_opened(self) -> None:
        """A request for the blob is answered with 503 soon."""
        self.stall()
        answer = self.ask(self.stalled)
        self.assertEqual(answer.status, 503)
        self.assertLess(answer.seconds, PATIENCE)

    def test_file_that_could_be_opened_before(self) -> None:
        """This also holds if the blob was sent a moment ago."""
        time.sleep(1.1)  # until it counts as settled
        self.assertEqual(self.ask(self.stalled).status, 200)
        self.test_others_go_on_while_one_opens()

    def test_many_wait_for_a_disk(self) -> None:
        """The response is as fast for many clients."""
        self.stall()
        answers = self.ask_often(self.stalled, 200)
        self.assertEqual({answer.status for answer in answers}, {503})
        self.assertLess(max(answer.seconds for answer in answers), PATIENCE)

    def test_others_go_on_while_one_opens(self) -> None:
        """Content on another disk is served meanwhile, without delay."""
        self.stall()
        with ThreadPoolExecutor(1) as client:
            waiting = client.submit(self.ask, self.stalled)
            answer = self.ask(self.sound)
            self.assertFalse(waiting.done())
            self.assertEqual(waiting.result().status, 503)
        self.assertEqual((answer.status, answer.body), (200, b"sound" * 100_000))
        self.assertLess(answer.seconds, 1)

    def test_many_pull_at_once(self) -> None:
        """Two hundred clients all get the blob that they request."""
        answers = self.ask_often(self.sound, 200)
        self.assertEqual({(a.status, a.body) for a in answers}, {(200, b"sound" * 100_000)})

    def test_many_knock_while_it_is_busy(self) -> None:
        """While the daemon is busy, two hundred clients can connect without a retransmission."""
        os.kill(self.daemon.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.daemon.pid, signal.SIGCONT)
        address = ("127.0.0.1", self.daemon.port)
        for _ in range(200):
            client = socket.create_connection(address, timeout=0.5)
            self.addCleanup(client.close)
