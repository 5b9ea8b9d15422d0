"""Tests for the state of the registry on the first page."""

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute

from minreg.oci.names import Digest
from minreg.store.summary import MOST_MANIFESTS
from minreg.store.tree import RegistryTree
from minreg.web.pages import repositories
from minreg.web.status.context import StatusOptions
from minreg.web.status.totals import SHORTEST_INTERVAL
from tests.page_support import PageTestCase
from tests.status_support import BROWSER
from tests.support import ALIASES, write_request


class OverviewTests(PageTestCase):
    """Tests for ``minreg.web.pages.overview``."""

    options = StatusOptions(ALIASES, host_name="node1")

    def setUp(self) -> None:
        """Pretend that a port is open."""
        super().setUp()
        self.registry.numPorts = 1

    def add_incomplete(self, name: str) -> None:
        """Add an image without its layer."""
        self.tree.add_image(name, "1", name.encode())
        os.unlink(self.tree.path("blobs", str(Digest.of(name.encode()))))

    def test_complete(self) -> None:
        """The line has the machine, the totals, and when they were counted."""
        self.tree.add_image("a", "1")
        self.assertRegex(
            self.show("/").text,
            r"node1 · ready · 1 image in 1 repository · \d+ B · all complete · "
            r"as of \d\d:\d\d UTC",
        )

    def test_sums(self) -> None:
        """The totals include all repositories, not only those on the page."""
        self.patch(repositories, "PAGE_SIZE", 2)
        for number in range(5):
            self.tree.add_image(f"r{number}", "1")
            self.tree.add_image(f"r{number}", "2", b"other")
        self.assertIn("10 images in 5 repositories", self.show("/").text)
        self.assertIn("10 images in 5 repositories", self.show("/?q=r3").text)

    def test_empty(self) -> None:
        """An empty registry is ready, and not called complete."""
        page = self.show("/")
        self.assertIn("ready · 0 images in 0 repositories · 0 B · as of", page.text)

    def test_not_ready(self) -> None:
        """A registry that is stopping is not ready."""
        self.registry.is_draining = True
        self.assertIn(
            "node1 · not ready: the registry is stopping · 0 images", self.show("/").text
        )

    def test_incomplete(self) -> None:
        """Incomplete repositories can be listed, on several pages."""
        self.patch(repositories, "PAGE_SIZE", 2)
        for name in ("b", "d", "e"):
            self.add_incomplete(name)
        for name in ("a", "c"):
            self.tree.add_image(name, "1")
        page = self.show("/")
        target = page.links["3 incomplete"]
        self.assertEqual(target, "/?show=incomplete")
        page = self.show(target)
        self.assertRegex(page.text, "Incomplete repositories .* b lacks 1 blob .* d lacks 1 blob")
        self.assertNotIn("c", page.links)
        page = self.show(page.links["Next →"])
        self.assertRegex(page.text, "e lacks 1 blob")
        self.assertNotIn("b", page.links)
        self.assertEqual(page.links["← First"], target)
        self.assertNotIn("Next →", page.links)

    def test_complete_again(self) -> None:
        """After the next count, a repository that was completed is not listed."""
        self.add_incomplete("a")
        self.assertIn("a", self.show("/?show=incomplete").links)
        self.tree.add_blob(b"a")
        self.clock.advance(SHORTEST_INTERVAL + 1)
        self.show("/")
        page = self.show("/?show=incomplete")
        self.assertRegex(page.text, r"All repositories are complete, as of \d\d:\d\d UTC\.")
        self.assertNotIn("a", page.links)

    def test_unreadable(self) -> None:
        """A repository that cannot be read is listed as incomplete and as not counted."""
        self.tree.add_image("a", "1")
        self.tree.link_out("b")
        page = self.show("/")
        self.assertIn(
            "1 incomplete · 1 repository not counted: unreadable or too large", page.text
        )
        page = self.show(page.links["1 incomplete"])
        self.assertIn("b cannot be read: see the log", page.text)

    def test_too_large(self) -> None:
        """A registry with a repository that is too large is not called complete."""
        for number in range(MOST_MANIFESTS + 1):
            self.tree.write(b"{}", "a", "manifests", str(Digest.of(b"%d" % number)))
        page = self.show("/")
        self.assertIn("1 repository not counted: unreadable or too large", page.text)
        self.assertNotIn("complete", page.text)

    def test_counting(self) -> None:
        """A page waits for the first count for a second."""
        self.tree.add_image("a", "1")

        def in_thread(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
            # The count never ends, and everything else takes no time.
            if work.__name__ == "_summarize":
                return Deferred()
            return execute(work, *args, **kwargs)

        self.serve(RegistryTree(self.root, ALIASES), in_thread)
        connection = self.connect()
        connection.send(write_request("/", headers=BROWSER))
        self.assertEqual(connection.received(), b"")
        self.clock.advance(1.1)
        connection.pump()
        self.assertIn("counting…".encode(), connection.received())
        page = self.show("/?show=incomplete")
        self.assertIn("The repositories are being counted", page.text)

    def test_host_name(self) -> None:
        """The name of the machine is escaped."""
        self.options = StatusOptions(ALIASES, host_name="<b>\x1b")
        self.serve(RegistryTree(self.root, ALIASES))
        page = self.show("/")
        self.assertIn(r"<b>\x1b · not ready: no port is open", page.text)
        self.assertNotIn("b", page.elements)
