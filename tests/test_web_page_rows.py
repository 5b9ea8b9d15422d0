"""Tests for ``minreg.web.pages.tables``: rows that cannot be read."""

import gc
from collections.abc import Callable

from minreg.oci.names import Digest
from minreg.store.interfaces import ContentInvalid, RepositoryNotFound, StoreUnavailable
from minreg.store.repository import TreeRepository
from minreg.store.summary import MOST_MANIFESTS
from minreg.store.tree import RegistryTree
from minreg.web.pages.tables import TABLE_TIMEOUT
from tests.page_support import PageTestCase
from tests.status_support import BROWSER
from tests.stores import ManualThreads
from tests.support import ALIASES, write_request


class SlowTree(RegistryTree):
    """A tree in which one repository can fail, and reading can take time."""

    failure: Exception | None = None
    named = ""
    pass_time: Callable[[], None] | None = None

    def find_repository(self, namespace: str | None, name: str) -> TreeRepository:
        """See ``IRegistryStore``."""
        if self.pass_time is not None:
            self.pass_time()
        if name == self.named and self.failure is not None:
            raise self.failure
        return super().find_repository(namespace, name)


class LazyTableTests(PageTestCase):
    """Tests for ``LazyTable``."""

    def setUp(self) -> None:
        """Add three repositories."""
        super().setUp()
        for name in ("a", "b", "c"):
            self.tree.add_image(name, "1")
        self.store = SlowTree(self.root, ALIASES)
        self.serve(self.store)

    def test_too_much(self) -> None:
        """A repository with too many manifests has no summary, and its tags are listed."""
        for number in range(MOST_MANIFESTS):
            self.tree.write(b"{}", "b", "manifests", str(Digest.of(b"%d" % number)))
        page = self.show("/")
        self.assertRegex(
            page.text, r"a 1 amd64.* b too large for a summary: open its tags c 1 amd64"
        )
        self.assertIn("1", self.show(page.links["b"]).links)

    def test_many_tags(self) -> None:
        """Many tags that are links do not make a repository too large."""
        digest = self.tree.add_image("b")
        for number in range(MOST_MANIFESTS + 1):
            self.tree.add_tag("b", f"t{number}", digest)
        self.assertRegex(self.show("/").text, rf"b \S+and {MOST_MANIFESTS - 2} more amd64")

    def test_failures(self) -> None:
        """A repository that cannot be read is listed, and the log has the reason."""
        self.store.named = "b"
        for failure, text in (
            (ContentInvalid("it is corrupt: replace it"), "cannot be read: see the log"),
            (StoreUnavailable("the disk sleeps"), "cannot be read in time: see the log"),
        ):
            self.store.failure = failure
            self.assertRegex(self.show("/").text, rf"a 1 amd64.* b {text} c 1 amd64")
            self.assertIn(str(failure), [event.get("reason") for event in self.events])

    def test_removed(self) -> None:
        """A repository that was removed after it was listed has no row."""
        self.store.named, self.store.failure = "b", RepositoryNotFound("b")
        page = self.show("/")
        self.assertIn("a", page.links)
        self.assertNotIn("b", page.links)

    def test_timeout(self) -> None:
        """After the timeout, the rows have only names."""
        self.store.pass_time = lambda: self.clock.advance(TABLE_TIMEOUT * 0.6)
        self.assertRegex(self.show("/").text, "b 1 amd64.* c not read: the disk is slow")

    def test_unexpected_error(self) -> None:
        """An unexpected error ends the page, and is logged once."""
        self.store.named, self.store.failure = "b", ZeroDivisionError()
        self.assertEqual(self.browse("/").code, 500)
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_leaves(self) -> None:
        """If the browser disconnects, reading ends without an error."""
        threads = ManualThreads()
        self.serve(self.store, threads)
        connection = self.connect()
        connection.send(write_request("/", headers=BROWSER))
        while threads.names() != ["read_row"]:
            threads.run()
            connection.pump()
        connection.leave()
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])
        self.assertEqual(len(threads), 1, "nothing more is read")
        [line] = self.logged("request")
        self.assertEqual(line["failure"], "the client left")

    def test_concurrency(self) -> None:
        """Two lists are written at the same time, and the others wait."""
        threads = ManualThreads()
        self.serve(self.store, threads)
        connections = [self.connect() for _ in range(6)]
        for connection, path in zip(connections, ["/", "/minreg/images/a"] * 3, strict=True):
            connection.send(write_request(path, headers=BROWSER))
        connections.pop(2).leave()
        most = 0
        while len(threads):
            most = max(most, threads.names().count("read_row"))
            threads.run()
            for connection in connections:
                connection.pump()
        self.assertEqual(most, 2)
        for connection in connections:
            self.assertIn(b"200 OK", connection.received())
        self.assertEqual(self.flushLoggedErrors(), [])
