"""Tests for ``minreg.web.pages.search``, with large trees and slow disks."""

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
    """A tree that can fail, and that counts how often all names were listed."""

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
        """Add repositories."""
        super().setUp()
        for number in range(8):
            self.tree.add_repository(f"r{number}/x")
        self.store = CountingTree(self.root, ALIASES)
        self.serve(self.store)

    def listed(self, path: str) -> list[str]:
        """Return the repositories on a page."""
        return [text for text in self.show(path).links if text.startswith(("r", "new"))]

    def test_text(self) -> None:
        """A name must contain all words, in any case and order."""
        self.assertEqual(self.listed("/?q=X+R7"), ["r7/x"])
        self.assertEqual(self.listed("/?q=x+r7&after=r7/x"), [])
        self.assertEqual(len(self.listed("/?q=+")), 8)

    def test_cached_names(self) -> None:
        """A search uses the names that were read for the last page, unless they are too old."""
        self.listed("/")
        self.store.walks = 0
        self.tree.add_repository("new")
        self.assertEqual(self.listed("/?q=r7"), ["r7/x"])
        self.assertEqual((self.store.walks, self.listed("/?q=new")), (0, []))
        self.clock.advance(REFRESH_INTERVAL + 1)
        self.assertEqual(self.listed("/?q=new"), ["new"])
        self.tree.add_repository("newer")
        self.clock.advance(LONGEST_AGE + 1)
        self.assertEqual(self.listed("/?q=newer"), ["newer"])

    def test_list_is_current(self) -> None:
        """The list is read for each request."""
        self.listed("/")
        self.tree.add_repository("new")
        self.assertIn("new", self.listed("/"))

    def test_one_walk(self) -> None:
        """Searches at the same time read the names once."""
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
        """A search that takes long shows what it has found, and can be continued."""
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

    def test_more_than_cached(self) -> None:
        """Names that are not cached are found as well, in several pages."""
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
        """A search of an empty registry finds nothing."""
        root = self.mktemp()
        os.mkdir(root)
        self.serve(RegistryTree(root))
        self.assertIn("No repository has", self.show("/?q=r").text)

    def test_unavailable(self) -> None:
        """If the disk does not answer, a search shows the reason; a later one succeeds."""
        self.store.failure = StoreUnavailable("the disk sleeps")
        for _ in range(2):
            self.assertIn("the disk sleeps", self.show("/?q=r", 503).text)
        self.store.failure = None
        self.assertEqual(self.listed("/?q=r7"), ["r7/x"])

    def test_unexpected_error(self) -> None:
        """An unexpected error is logged, and the search shows that it failed."""
        self.store.failure = ZeroDivisionError("a bug")
        self.assertIn("a bug", self.show("/?q=r", 503).text)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_unavailable_in_background(self) -> None:
        """If the names cannot be read in the background, the cached ones are used."""
        self.listed("/?q=r")
        self.clock.advance(REFRESH_INTERVAL + 1)
        self.store.failure = StoreUnavailable("the disk sleeps")
        self.assertEqual(self.listed("/?q=r7"), ["r7/x"])
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_client_leaves(self) -> None:
        """A browser that disconnects does not cancel the search of another."""
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
