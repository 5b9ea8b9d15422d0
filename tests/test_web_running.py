"""Tests for ``minreg.web.status.running``: ``/minreg/status``."""

import os

from minreg import __version__
from minreg.store.tree import RegistryTree
from minreg.web.status import running
from minreg.web.status.context import StatusOptions
from minreg.web.status.running import COUNT_INTERVAL, TreeCount, count_tree
from tests.status_support import NODE, StatusTestCase
from tests.stores import ManualThreads
from tests.support import ALIASES


class StatusResourceTests(StatusTestCase):
    """Tests for ``StatusResource``."""

    plan = StatusOptions(ALIASES, root="/srv/registry", workers=2)

    def setUp(self) -> None:
        """Let a port lead to the registry, and put images into it."""
        super().setUp()
        self.registry.doStart()
        self.registry.listeners.append("http://127.0.0.1:9080")
        self.tree.add_tag("a", "2", self.tree.add_image("a", "1"))
        self.tree.add_image("b/c", "1")

    def test_ready(self) -> None:
        """The document says what runs, where, how long, and what it has."""
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
                "images": 3,
                "counts_complete": True,
                "missing": 1,
                "connections": 1,
                "transfers": 1,
            },
        )

    def test_no_root(self) -> None:
        """Without its root the registry runs, is not ready, and nothing is counted."""
        os.rename(self.root, f"{self.root}.gone")
        response = self.request("/minreg/status")
        self.assertEqual(response.code, 200)
        document = response.json
        self.assertEqual(
            (document["ready"], document["repositories"], document["images"]), (False, None, None)
        )
        self.assertFalse(document["counts_complete"])
        self.assertIn("No such file or directory", document["checks"]["root"])

    def test_counted_seldom(self) -> None:
        """The tree is counted once for all who ask within some seconds."""
        self.assertEqual(self.request("/minreg/status").json["images"], 3)
        self.tree.add_image("d", "1")
        self.clock.advance(COUNT_INTERVAL)
        self.assertEqual(self.request("/minreg/status").json["images"], 3)
        self.clock.advance(1)
        self.assertEqual(self.request("/minreg/status").json["images"], 4)

    def test_slow_disk(self) -> None:
        """A disk that does not answer holds the answer up for some seconds only."""
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
        """It is asked with GET and HEAD, and has no page."""
        self.assertEqual(self.request("/minreg/status", "HEAD").body, b"")
        self.assertEqual(self.request("/minreg/status", "POST").code, 405)


class ApartTests(StatusTestCase):
    """Tests for status that has a place of its own, and no page."""

    plan = StatusOptions(ALIASES, is_elsewhere=True, has_page=False)

    def test_apart(self) -> None:
        """The status is there, and not where the registry is."""
        self.assertEqual(self.ask_registry("/minreg/status"), 404)
        self.assertEqual(self.request("/minreg/status").json["ready"], False)


class CountTreeTests(StatusTestCase):
    """Tests for ``count_tree``."""

    def test_in_time(self) -> None:
        """All is counted, if there is time."""
        self.tree.add_image("a", "1")
        self.assertEqual(count_tree(RegistryTree(self.root), 1), TreeCount(1, 1, is_complete=True))

    def test_too_much(self) -> None:
        """Counting ends when its time does, and says so."""
        for name in "abc":
            self.tree.add_image(name, "1")
        times = iter((0.0, 0.1, 0.2, 0.6))
        counted = count_tree(RegistryTree(self.root), 0.5, lambda: next(times))
        self.assertEqual(counted, TreeCount(2, 2, is_complete=False))

    def test_bounded(self) -> None:
        """A status request counts for half a second at most."""
        asked: list[float] = []

        def count(_store: object, seconds: float) -> TreeCount:
            asked.append(seconds)
            return TreeCount(0, 0, is_complete=False)

        self.patch(running, "count_tree", count)
        self.assertFalse(self.request("/minreg/status").json["counts_complete"])
        self.assertEqual(asked, [0.5])
