"""Tests for how pages find repositories, in trees of many and on disks that are slow."""

import gc
import os
from collections.abc import Iterator

from minreg.store.interfaces import StoreUnavailable
from minreg.store.tree import RegistryTree
from minreg.web.pages import search
from minreg.web.pages.search import LONGEST_AGE, REFRESH_INTERVAL
from tests.page_support import PageTestCase
from tests.status_support import BROWSER
from tests.stores import ManualThreads
from tests.support import ALIASES, write_request


class CountingTree(RegistryTree):
    """A tree that tells how often all of it was gone through, or cannot be."""

    walks = 0
    failure: Exception | None = None

    def iterate_repositories(self, after: str) -> Iterator[str]:
        """See ``IRegistryStore``."""
        if self.failure is not None:
            raise self.failure
        self.walks += not after
        return super().iterate_repositories(after)


class SearchTests(PageTestCase):
    """Tests for searches."""

    def setUp(self) -> None:
        """Have a few repositories."""
        super().setUp()
        for number in range(8):
            self.tree.add_repository(f"r{number}/x")
        self.store = CountingTree(self.root, ALIASES)
        self.serve(self.store)

    def found(self, path: str) -> list[str]:
        """Name the repositories that a page shows."""
        return [text for text in self.show(path).links if text.startswith(("r", "new"))]

    def test_text(self) -> None:
        """All words must be there, in any case and order."""
        self.assertEqual(self.found("/?q=X+R7"), ["r7/x"])
        self.assertEqual(self.found("/?q=x+r7&after=r7/x"), [])
        self.assertEqual(len(self.found("/?q=+")), 8)

    def test_names_at_hand(self) -> None:
        """Whoever looked at the list finds its names at hand; they are not older than is told."""
        self.found("/")
        self.store.walks = 0
        self.tree.add_repository("new")
        self.assertEqual(self.found("/?q=r7"), ["r7/x"])
        self.assertEqual((self.store.walks, self.found("/?q=new")), (0, []))
        self.clock.advance(REFRESH_INTERVAL + 1)
        self.assertEqual(self.found("/?q=new"), ["new"])
        self.tree.add_repository("newer")
        self.clock.advance(LONGEST_AGE + 1)
        self.assertEqual(self.found("/?q=newer"), ["newer"])

    def test_list_is_of_now(self) -> None:
        """The list itself is never an old one."""
        self.found("/")
        self.tree.add_repository("new")
        self.assertIn("new", self.found("/"))

    def test_one_walk(self) -> None:
        """Many that search at once have the tree gone through once."""
        threads = ManualThreads()
        self.serve(self.store, threads)
        connections = [self.connect() for _ in range(5)]
        for connection in connections:
            connection.send(write_request("/?q=r7", headers=BROWSER))
        while len(threads):
            threads.run()
            for connection in connections:
                connection.pump()
        self.assertEqual(self.store.walks, 1)
        for connection in connections:
            self.assertIn(b"r7/x", connection.received())

    def test_takes_long(self) -> None:
        """A search that takes long shows what it has, and can go on from there."""
        self.patch(search, "_BATCH_SIZE", 3)
        threads = ManualThreads()
        self.serve(self.store, threads)
        connection = self.connect()
        connection.send(write_request("/?q=r", headers=BROWSER))
        for _ in range(3):
            threads.run()
            connection.pump()
        self.clock.advance(2)
        while b"</html>" not in (received := connection.received()):
            threads.run()
            connection.pump()
        self.assertIn(b"r5/x", received)
        self.assertNotIn(b"r6/x", received)
        self.assertIn(b"Continue the search", received)
        self.assertIn(b"after=r5%2Fx", received)

    def test_more_than_is_kept(self) -> None:
        """Names that are not kept are found as well, a few at a time."""
        self.patch(search, "MOST_NAMES", 4)
        self.patch(search, "_BATCH_SIZE", 2)
        self.patch(search, "_UNCACHED_NAMES", 3)
        page = self.show("/?q=r7")
        self.assertIn("No match so far", page.text)
        page = self.show(page.links["Continue the search →"])
        self.assertIn("No match so far", page.text)
        page = self.show(page.links["Continue the search →"])
        self.assertIn("r7/x", page.links)
        self.assertNotIn("Continue the search →", page.links)

    def test_nothing(self) -> None:
        """An empty registry has nothing to be found."""
        root = self.mktemp()
        os.mkdir(root)
        self.serve(RegistryTree(root))
        self.assertIn("No repository has", self.show("/?q=r").text)

    def test_unavailable(self) -> None:
        """Where the disk does not answer, whoever searches is told, and may try again."""
        self.store.failure = StoreUnavailable("the disk sleeps")
        for _ in range(2):
            self.assertIn("the disk sleeps", self.show("/?q=r", 503).text)
        self.store.failure = None
        self.assertEqual(self.found("/?q=r7"), ["r7/x"])

    def test_unavailable_meanwhile(self) -> None:
        """If it does not answer while nobody searches, that is no matter yet."""
        self.found("/?q=r")
        self.clock.advance(REFRESH_INTERVAL + 1)
        self.store.failure = StoreUnavailable("the disk sleeps")
        self.assertEqual(self.found("/?q=r7"), ["r7/x"])
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_client_leaves(self) -> None:
        """A browser that leaves does not end what others wait for."""
        threads = ManualThreads()
        self.serve(self.store, threads)
        first, second = self.connect(), self.connect()
        for connection in (first, second):
            connection.send(write_request("/?q=r7", headers=BROWSER))
        first.leave()
        while len(threads):
            threads.run()
            second.pump()
        self.assertIn(b"r7/x", second.received())
        self.assertEqual(self.flushLoggedErrors(), [])
