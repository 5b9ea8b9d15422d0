"""``minreg download`` from a registry whose certificate no public authority knows."""

import os
import socket
import subprocess
import sys

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.e2e.forward_proxy import ForwardProxy
from tests.e2e.programs import need_programs
from tests.e2e.real_registry import Layout, start_registry
from tests.isolation import allow_connections_to


def outer_address() -> str:
    """Find an address of this machine that is not a loopback one, for those need no TLS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: this only asks which address would be used.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            raise SkipTest("needs a network interface beside the loopback one") from None
        address: str = probe.getsockname()[0]
    allow_connections_to(address)
    return address


class PrivateAuthorityTests(SynchronousTestCase):
    """Tests for ``--ca-file`` and ``--plain-http``."""

    def setUp(self) -> None:
        """Make a certificate, and start a registry with it, with one image."""
        need_programs("openssl")
        self.address = outer_address()
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)
        self.certificate = os.path.join(self.directory, "certificate.pem")
        key = os.path.join(self.directory, "key.pem")
        make = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=minreg"
        extension = f"subjectAltName=IP:{self.address}"
        subprocess.run(
            [*make.split(), "-addext", extension, "-keyout", key, "-out", self.certificate],
            check=True,
            capture_output=True,
        )
        storage = os.path.join(self.directory, "upstream")
        plain = start_registry(storage)
        layout = Layout(os.path.join(self.directory, "layout"))
        layout.write_index([layout.write_image("amd64", [b"layer"])])
        plain.push(layout.directory, "a/b:1")
        plain.stop()
        tls = f"tls: {{certificate: {self.certificate}, key: {key}}}"
        self.registry = start_registry(storage, http=tls, address=self.address)
        self.addCleanup(self.registry.stop)

    def download(self, *arguments: str, **proxy: str) -> "subprocess.CompletedProcess[str]":
        """Run the command, with proxies or without any."""
        image = f"{self.address}:{self.registry.port}/a/b:1"
        root = os.path.join(self.directory, "registry")
        return subprocess.run(
            [sys.executable, "-m", "minreg", "download", "-s", "-d", root, image, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **(proxy or {"no_proxy": "*"})},
        )

    def test_ca_file(self) -> None:
        """With the authority's certificate, the registry is trusted."""
        done = self.download("--ca-file", self.certificate)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_tunnel(self) -> None:
        """Through a proxy, TLS goes in a tunnel, and the proxy gets its account."""
        with ForwardProxy() as proxy:
            url = f"http://alice:secret@127.0.0.1:{proxy.port}"
            done = self.download("--ca-file", self.certificate, https_proxy=url, no_proxy="")
        self.assertEqual(done.returncode, 0, done.stdout)
        tunnel = ("CONNECT", f"{self.address}:{self.registry.port}", "Basic YWxpY2U6c2VjcmV0")
        self.assertEqual(set(proxy.requests), {tunnel})

    def test_broken(self) -> None:
        """A connection that breaks during the TLS handshake is retried."""
        with ForwardProxy() as proxy:
            proxy.collapsing = 2
            url = f"http://127.0.0.1:{proxy.port}"
            done = self.download("--ca-file", self.certificate, https_proxy=url, no_proxy="")
        self.assertEqual((done.returncode, proxy.collapsing), (0, 0), done.stdout)

    def test_unknown_authority(self) -> None:
        """Without it, it is not, and that is not tried again."""
        done = self.download()
        self.assertEqual(done.returncode, 1)
        self.assertIn("from no authority known here: name one with --ca-file", done.stdout)

    def test_plain(self) -> None:
        """A registry with TLS answers plain HTTP with an error that is shown."""
        done = self.download("--plain-http", f"{self.address}:{self.registry.port}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("(status 400)", done.stdout)


class NoTlsTests(SynchronousTestCase):
    """Tests for a registry that does not talk TLS, on an address that should."""

    def setUp(self) -> None:
        """Start a registry with one image."""
        self.directory = os.path.abspath(self.mktemp())
        self.registry = start_registry(
            os.path.join(self.directory, "upstream"), address=outer_address()
        )
        self.addCleanup(self.registry.stop)
        layout = Layout(os.path.join(self.directory, "layout"))
        layout.write_index([layout.write_image("amd64", [b"layer"])])
        self.registry.push(layout.directory, "a/b:1")

    def download(self, *arguments: str, **proxy: str) -> str:
        """Run the command, and return what it says."""
        root = os.path.join(self.directory, "registry")
        image = f"{self.registry.host}/a/b:1"
        return subprocess.run(
            [sys.executable, "-m", "minreg", "download", "-s", "-d", root, image, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **(proxy or {"no_proxy": "*"})},
        ).stdout

    def test_fix(self) -> None:
        """The message has the fix, and the fix works."""
        self.assertIn(f"say --plain-http {self.registry.host}", self.download())
        said = self.download("--plain-http", self.registry.host)
        self.assertIn("1 of 1 image complete", said)

    def test_proxy(self) -> None:
        """Plain requests go through their proxy whole."""
        with ForwardProxy() as proxy:
            said = self.download(
                *("--plain-http", self.registry.host),
                http_proxy=f"http://127.0.0.1:{proxy.port}",
                no_proxy="",
            )
        self.assertIn("1 of 1 image complete", said)
        url = f"http://{self.registry.host}/v2/a/b/manifests/1"
        self.assertIn(("GET", url, None), proxy.requests)
