"""Tests for ``minreg.web.status.health``: ``/livez`` and ``/readyz``."""

import os

from minreg.store.tree import RegistryTree
from minreg.web.status.context import StatusOptions
from tests.status_support import StatusTestCase
from tests.stores import ManualThreads
from tests.support import ALIASES


class HealthTests(StatusTestCase):
    """Tests for ``LiveResource`` and ``ReadyResource``."""

    def setUp(self) -> None:
        """Pretend that a port is open."""
        super().setUp()
        self.registry.doStart()

    def test_alive(self) -> None:
        """``/livez`` answers ok."""
        response = self.request("/livez")
        self.assertEqual((response.code, response.body), (200, b"ok\n"))
        self.assertEqual(response.header("cache-control"), "no-store")
        self.assertEqual(self.request("/livez?verbose").json, {"ok": True, "checks": {}})

    def test_ready(self) -> None:
        """If the root can be read and a port is open, the registry is ready."""
        response = self.request("/readyz")
        self.assertEqual((response.code, response.body), (200, b"ok\n"))
        self.assertEqual(
            self.request("/readyz?verbose").json,
            {"ok": True, "checks": {"root": "ok", "listener": "ok", "draining": "ok"}},
        )

    def test_no_root(self) -> None:
        """If the root does not exist, the registry is alive but not ready, and says why."""
        os.rename(self.root, f"{self.root}.gone")
        self.assertEqual(self.request("/livez").code, 200)
        response = self.request("/readyz")
        self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))
        verbose = self.request("/readyz?verbose")
        self.assertEqual((verbose.code, verbose.json["ok"]), (503, False))
        self.assertEqual(
            verbose.json["checks"]["root"], f"root {self.root}: No such file or directory"
        )
        os.rename(f"{self.root}.gone", self.root)
        self.assertEqual(self.request("/readyz").code, 200)

    def test_no_port(self) -> None:
        """If no port is open, it is not ready."""
        self.registry.doStop()
        checks = self.request("/readyz?verbose").json["checks"]
        self.assertEqual(checks["listener"], "no port is open")

    def test_slow_disk(self) -> None:
        """If the disk does not respond, it is not ready; the response is not delayed."""
        self.serve(RegistryTree(self.root), ManualThreads())
        connection = self.connect()
        connection.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(connection.received(), b"")
        self.clock.advance(2)
        connection.pump()
        self.assertIn(b"503 Service Unavailable", connection.received())

    def test_refusals(self) -> None:
        """GET and HEAD are allowed."""
        self.assertEqual(self.request("/readyz", "HEAD").body, b"")
        self.assertEqual(self.request("/livez", "POST").code, 405)


class ApartTests(StatusTestCase):
    """Tests for a status site of its own."""

    options = StatusOptions(ALIASES, is_elsewhere=True)

    def test_apart(self) -> None:
        """The registry's site does not serve the status, nor the status site the registry."""
        self.assertEqual(self.request("/v2/").code, 404)
        for path in ("/livez", "/readyz", "/metrics", "/minreg/missing", "/"):
            self.assertEqual(self.ask_registry(path), 404)
        self.assertEqual(self.request("/livez").code, 200)

    def test_draining(self) -> None:
        """While transfers finish before a stop, it is not ready."""
        self.registry.doStart()
        self.registry.drain(30)
        response = self.request("/readyz")
        self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))
        self.assertIn("the registry is stopping", response.json["errors"][0]["message"])

    def test_counts_of_the_registry(self) -> None:
        """Missing content of the registry is listed by the status site."""
        self.ask_registry("/v2/a/manifests/1")
        self.assertEqual(len(self.request("/minreg/missing").json["missing"]), 1)


class RefusalTests(StatusTestCase):
    """Tests for the log of a failed check."""

    def test_text(self) -> None:
        """The reason is in the access log too."""
        self.request("/readyz?verbose")
        [logged] = self.logged("request")
        self.assertEqual(logged["failure"], "no port is open")
