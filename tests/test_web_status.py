"""Tests for ``/livez``, ``/readyz`` and ``/minreg/status``."""

import os

from minreg import __version__
from minreg.store.tree import RegistryTree
from minreg.web.status.context import StatusOptions
from minreg.web.status.totals import SHORTEST_INTERVAL
from tests.status_support import NODE, StatusTestCase
from tests.stores import ManualThreads
from tests.support import ALIASES, parse_response, write_request


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


class StatusResourceTests(StatusTestCase):
    """Tests for ``StatusResource``."""

    options = StatusOptions(ALIASES, root="/srv/registry", workers=2)

    def setUp(self) -> None:
        """Pretend that a port is open, and add images."""
        super().setUp()
        self.registry.doStart()
        self.registry.listeners.append("http://127.0.0.1:9080")
        self.tree.add_tag("a", "2", self.tree.add_image("a", "1"))
        self.tree.add_image("b/c", "1")

    def test_ready(self) -> None:
        """The document has all fields."""
        self.request("/v2/a/manifests/3?ns=quay.io", headers=NODE)
        self.clock.advance(61.5)
        response = self.request("/minreg/status")
        self.assertEqual(response.code, 200)
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("cache-control"), "no-store")
        document = response.json
        self.assertRegex(document.pop("started"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(
            document,
            {
                "version": __version__,
                "root": "/srv/registry",
                "uptime_seconds": 61,
                "listeners": ["http://127.0.0.1:9080"],
                "workers": 2,
                "ready": True,
                "checks": {"root": "ok", "listener": "ok", "draining": "ok"},
                "repositories": 2,
                "images": 2,
                "counts_complete": True,
                "missing": 1,
                "connections": 1,
                "transfers": 1,
            },
        )

    def test_no_root(self) -> None:
        """Without its root, the registry is not ready, and the numbers are null."""
        os.rename(self.root, f"{self.root}.gone")
        response = self.request("/minreg/status")
        self.assertEqual(response.code, 200)
        document = response.json
        self.assertEqual(
            (document["ready"], document["repositories"], document["images"]), (False, None, None)
        )
        self.assertFalse(document["counts_complete"])
        self.assertIn("No such file or directory", document["checks"]["root"])

    def test_interval(self) -> None:
        """The numbers are those of the page: counted at most once a minute."""
        self.assertEqual(self.request("/minreg/status").json["images"], 2)
        self.tree.add_image("d", "1")
        self.clock.advance(SHORTEST_INTERVAL - 1)
        self.assertEqual(self.request("/minreg/status").json["images"], 2)
        self.clock.advance(2)
        self.request("/minreg/status")
        self.assertEqual(self.request("/minreg/status").json["images"], 3)

    def test_first_count(self) -> None:
        """After a second, the numbers so far are sent, marked as incomplete."""
        threads = ManualThreads()
        self.serve(RegistryTree(self.root), threads)
        connection = self.connect()
        connection.send(write_request("/minreg/status"))
        while threads.names() != ["_summarize"]:
            threads.run()
            connection.pump()
        threads.run()
        self.clock.advance(1)
        connection.pump()
        document = parse_response(connection.received()).json
        self.assertEqual((document["repositories"], document["images"]), (1, 1))
        self.assertFalse(document["counts_complete"])

    def test_uncounted(self) -> None:
        """The numbers are incomplete if a repository cannot be read."""
        self.tree.link_out("c")
        document = self.request("/minreg/status").json
        self.assertEqual((document["repositories"], document["images"]), (3, 2))
        self.assertFalse(document["counts_complete"])

    def test_slow_disk(self) -> None:
        """If the disk does not answer, the response is sent after its timeout."""
        self.serve(RegistryTree(self.root), ManualThreads())
        connection = self.connect()
        connection.send(b"GET /minreg/status HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(connection.received(), b"")
        self.clock.advance(2)
        connection.pump()
        received = connection.received()
        self.assertIn(b"200 OK", received)
        self.assertIn(b"the disk has not answered", received)

    def test_methods(self) -> None:
        """GET and HEAD are allowed."""
        self.assertEqual(self.request("/minreg/status", "HEAD").body, b"")
        self.assertEqual(self.request("/minreg/status", "POST").code, 405)


class StatusApartTests(StatusTestCase):
    """Tests for a status on its own site, without pages."""

    options = StatusOptions(ALIASES, is_elsewhere=True, has_page=False)

    def test_apart(self) -> None:
        """The status is on its own site, and not on the registry's."""
        self.assertEqual(self.ask_registry("/minreg/status"), 404)
        self.assertEqual(self.request("/minreg/status").json["ready"], False)
