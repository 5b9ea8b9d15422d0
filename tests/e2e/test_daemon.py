"""Tests for starting and stopping the daemon, and for changes of its tree."""

import os
import signal
import socket
import time
from http.client import HTTPConnection, IncompleteRead

from tests.e2e.daemon import Daemon
from tests.e2e.images import digest_of
from tests.e2e.support import EndToEndTestCase

SIZE = 100_000_000


class DaemonTestCase(EndToEndTestCase):
    """A test with a repository that has one large blob, whose file is sparse."""

    def setUp(self) -> None:
        """Create the tree."""
        self.root = self.make_directory()
        self.manifests = os.path.join(self.root, "sample", "manifests")
        blobs = os.path.join(self.root, "sample", "blobs")
        os.makedirs(self.manifests)
        os.makedirs(blobs)
        self.digest = f"sha256:{'0123456789abcdef' * 4}"
        self.blob = os.path.join(blobs, self.digest)
        with open(self.blob, "wb") as file:
            file.truncate(SIZE)

    def open_connection(self, daemon: Daemon) -> HTTPConnection:
        """Connect to the daemon until the test ends."""
        connection = HTTPConnection("127.0.0.1", daemon.port, timeout=10)
        self.addCleanup(connection.close)
        return connection


class TransferTests(DaemonTestCase):
    """Tests for transfers in progress."""

    def setUp(self) -> None:
        """Start fetching the blob."""
        super().setUp()
        self.daemon = self.start_daemon(self.root)
        connection = self.open_connection(self.daemon)
        connection.request("GET", f"/v2/sample/blobs/{self.digest}")
        self.response = connection.getresponse()
        self.response.read(1)

    def test_stop(self) -> None:
        """A daemon that is stopped finishes its transfers, and accepts no more connections."""
        self.daemon.terminate()
        self.wait_until(self.is_deaf)
        self.assertEqual(len(self.response.read()), SIZE - 1)
        # twistd ends by the signal that it got, which systemd counts as success.
        self.assertEqual(self.daemon.stop(), -signal.SIGTERM)

    def test_cut_short(self) -> None:
        """If a file is truncated while it is sent, the connection is closed."""
        os.truncate(self.blob, SIZE // 2)
        error = self.assertRaises(IncompleteRead, self.response.read)
        self.assertLess(len(error.partial), SIZE // 2 + 1)
        self.daemon.stop()
        (event,) = self.daemon.request_events()
        self.assertIn("truncated", event["failure"])

    def test_removed(self) -> None:
        """A file that is replaced or removed while it is sent is sent completely."""
        os.unlink(self.blob)
        self.assertEqual(len(self.response.read()), SIZE - 1)

    def is_deaf(self) -> bool:
        """Return whether the daemon accepts no more connections."""
        try:
            socket.create_connection(("127.0.0.1", self.daemon.port), timeout=5).close()
        except ConnectionRefusedError:
            return True
        return False


class TreeTests(DaemonTestCase):
    """Tests for a tree that changes while it is served."""

    def test_change(self) -> None:
        """A tag that is added, moved or removed changes the next response."""
        connection = self.open_connection(self.start_daemon(self.root))
        self.assertEqual(self.tag_leads_to(connection), None)
        for moment in ("first", "second"):
            digest = self.write_manifest(moment)
            self.move_tag(digest)
            self.assertEqual(self.tag_leads_to(connection), digest)
        os.unlink(os.path.join(self.manifests, "latest"))
        self.assertEqual(self.tag_leads_to(connection), None)

    def test_root_comes_later(self) -> None:
        """A tree that is mounted late, or replaced, is served as soon as it exists."""
        elsewhere = f"{self.root}.away"
        connection = self.open_connection(self.start_daemon(self.root))
        os.rename(self.root, elsewhere)
        os.mkdir(self.root)
        self.assertEqual(self.status(connection), 404)
        os.rmdir(self.root)
        os.rename(elsewhere, self.root)
        self.assertEqual(self.status(connection), 200)

    def write_manifest(self, moment: str) -> str:
        """Write a manifest, and return its digest."""
        content = (
            f'{{"schemaVersion": 2, "annotations": {{"moment": "{moment}"}}, "manifests": []}}'
        ).encode()
        digest = digest_of(content)
        with open(os.path.join(self.manifests, digest), "wb") as file:
            file.write(content)
        return digest

    def move_tag(self, digest: str) -> None:
        """Link the tag to a manifest, atomically."""
        new = os.path.join(self.root, "new")
        os.symlink(digest, new)
        os.replace(new, os.path.join(self.manifests, "latest"))

    def tag_leads_to(self, connection: HTTPConnection) -> str | None:
        """Return the digest of the tag."""
        connection.request("HEAD", "/v2/sample/manifests/latest")
        response = connection.getresponse()
        response.read()
        return response.headers["Docker-Content-Digest"]

    def status(self, connection: HTTPConnection) -> int:
        """Return whether the blob is found."""
        connection.request("HEAD", f"/v2/sample/blobs/{self.digest}")
        response = connection.getresponse()
        response.read()
        return response.status


class StartTests(DaemonTestCase):
    """Tests for the start."""

    def test_start_line(self) -> None:
        """The log has the root and the URL."""
        daemon = self.start_daemon(self.root)
        (event,) = (event for event in daemon.events() if event["event"] == "start")
        self.assertIn(self.root, event["message"])
        self.assertIn(f"http://{daemon.registry}", event["message"])

    def test_time(self) -> None:
        """It responds soon after its start, whatever the size of the tree."""
        begun = time.monotonic()
        self.start_daemon(self.root)
        self.assertLess(time.monotonic() - begun, 5)
