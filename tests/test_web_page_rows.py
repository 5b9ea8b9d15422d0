"""Tests for tables in pages: what is wrong with one row is no other row's matter."""

import gc
from collections.abc import Callable

from minreg.oci.names import Digest
from minreg.store.interfaces import ContentInvalid, StoreUnavailable
from minreg.store.repository import TreeRepository
from minreg.store.summary import MOST_MANIFESTS
from minreg.store.tree import RegistryTree
from minreg.web.pages.tables import TABLE_TIMEOUT
from tests.page_support import PageTestCase
from tests.status_support import BROWSER
from tests.stores import ManualThreads
from tests.support import ALIASES, write_request


class OddTree(RegistryTree):
    """A tree in which a look at one repository may fail, and all may take time."""

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


class RowsTests(PageTestCase):
    """Tests for ``Rows``."""

    def setUp(self) -> None:
        """Have three repositories."""
        super().setUp()
        for name in ("a", "b", "c"):
            self.tree.add_image(name, "1")
        self.store = OddTree(self.root, ALIASES)
        self.serve(self.store)

    def test_too_much(self) -> None:
        """A repository of thousands of manifests is named, and its tags can be looked at."""
        for number in range(MOST_MANIFESTS):
            self.tree.write(b"{}", "b", "manifests", str(Digest.of(b"%d" % number)))
        page = self.show("/")
        self.assertRegex(
            page.text, r"a 1 amd64.* b too large for a summary: open its tags c 1 amd64"
        )
        self.assertIn("1", self.show(page.links["b"]).links)

    def test_many_tags(self) -> None:
        """Tags that are links are not much."""
        digest = self.tree.add_image("b")
        for number in range(MOST_MANIFESTS + 1):
            self.tree.add_tag("b", f"t{number}", digest)
        self.assertRegex(self.show("/").text, rf"b \S+and {MOST_MANIFESTS - 2} more amd64")

    def test_failures(self) -> None:
        """What cannot be read, or not in time, is named, and the log says why."""
        self.store.named = "b"
        for failure, text in (
            (ContentInvalid("it is corrupt: replace it"), "cannot be read: see the log"),
            (StoreUnavailable("the disk sleeps"), "cannot be read in time: see the log"),
        ):
            self.store.failure = failure
            self.assertRegex(self.show("/").text, rf"a 1 amd64.* b {text} c 1 amd64")
            self.assertIn(str(failure), [event.get("reason") for event in self.events])

    def test_patience(self) -> None:
        """Where all takes long, the page comes nevertheless: late rows have only names."""
        self.store.pass_time = lambda: self.clock.advance(TABLE_TIMEOUT * 0.6)
        self.assertRegex(self.show("/").text, "b 1 amd64.* c not read: the disk is slow")

    def test_a_fault(self) -> None:
        """A fault of our own ends the page, and is in the log once."""
        self.store.named, self.store.failure = "b", ZeroDivisionError()
        self.assertEqual(self.browse("/").code, 500)
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_leaves(self) -> None:
        """A browser that leaves in the middle of a page is nothing to complain about."""
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
        self.assertEqual(len(threads), 1, "nothing more is looked at")
        [line] = self.logged("request")
        self.assertEqual(line["failure"], "the client left")

    def test_turns(self) -> None:
        """Of many lists that are asked for at once, two are written at a time."""
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
