"""``minreg download`` of a K3s release, by its channel, from a mirror of K3s's servers."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.store.tree import RegistryTree
from tests.e2e.real_registry import Layout, start_registry

VERSION = "v1.33.4+k3s1"


class _Mirror(BaseHTTPRequestHandler):
    """K3s's channel server and release files."""

    images = b""

    def do_GET(self) -> None:
        """Redirect from the channel to the release, or send its list of images."""
        if self.path == "/channels/stable":
            self.send_response(302)
            self.send_header("Location", "/releases/tag/v1.33.4%2Bk3s1")
            self.end_headers()
        elif self.path == "/download/v1.33.4%2Bk3s1/k3s-images.txt":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.images)))
            self.end_headers()
            self.wfile.write(self.images)
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


class ReleaseTests(SynchronousTestCase):
    """Tests for ``minreg download`` without ``--skip-k3s``."""

    def setUp(self) -> None:
        """Start a registry with an image, and a mirror whose release has that image."""
        self.directory = os.path.abspath(self.mktemp())
        registry = start_registry(os.path.join(self.directory, "upstream"))
        self.addCleanup(registry.stop)
        layout = Layout(os.path.join(self.directory, "layout"))
        layout.write_index([layout.write_image("amd64", [b"layer"])])
        registry.push(layout.directory, "rancher/mirrored-pause:3.6")
        self.images = f"{registry.host}/rancher/mirrored-pause:3.6\n".encode("ascii")
        handler = type("Mirror", (_Mirror,), {"images": self.images})
        mirror = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=mirror.serve_forever, args=(0.05,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(mirror.server_close)
        self.addCleanup(mirror.shutdown)
        self.url = f"http://127.0.0.1:{mirror.server_address[1]}"
        self.root = os.path.join(self.directory, "registry")

    def download(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command against the mirror."""
        command = [sys.executable, "-m", "minreg", "download", "-d", self.root, *arguments]
        command += ["--channel-url", f"{self.url}/channels"]
        command += ["--release-url", f"{self.url}/download"]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    def test_channel(self) -> None:
        """The channel's release is fetched, its list kept, and served as no repository."""
        done = self.download()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"\Anext: .+\n  or: .+\n\Z")
        with open(os.path.join(self.root, "k3s", f"{VERSION}.txt"), "rb") as file:
            self.assertEqual(file.read(), self.images)
        names = list(RegistryTree(self.root).iterate_repositories(""))
        self.assertEqual(names, ["rancher/mirrored-pause"])

    def test_version(self) -> None:
        """A version needs no channel."""
        self.assertEqual(self.download("-v", VERSION).returncode, 0)

    def test_unknown(self) -> None:
        """A channel or version that is none is one line, and status 1."""
        for name in ("stabel", "v9.9.9+k3s1"):
            done = self.download("-v", name)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1))
            self.assertIn("; check that the ", done.stderr)
            self.assertFalse(os.path.exists(self.root))
