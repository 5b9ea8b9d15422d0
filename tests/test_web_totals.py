"""Tests for ``minreg.web.status.totals``, and for the state of the registry on the first page."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, execute

from minreg.oci.names import Digest
from minreg.store.interfaces import RepositoryNotFound, StoreUnavailable
from minreg.store.repository import TreeRepository
from minreg.store.summary import MOST_MANIFESTS
from minreg.store.tree import RegistryTree
from minreg.web.disk import DiskIO, ThreadRunner
from minreg.web.pages import repositories
from minreg.web.status.context import StatusOptions
from minreg.web.status.totals import (
    INTERVAL_FACTOR,
    PAUSE_FACTOR,
    RETRY_INTERVAL,
    SHORTEST_INTERVAL,
    RegistryTotals,
    TotalsCounter,
)
from tests.page_support import PageTestCase
from tests.status_support import BROWSER
from tests.stores import ManualThreads
from tests.support import ALIASES, WebTestCase, write_request

CONFIG = b'{"architecture": "amd64", "os": "linux"}'


class FailingTree(RegistryTree):
    """A tree that can fail, and that counts how often its names are listed."""

    failure: Exception | None = None
    removed = ""
    walks = 0

    def iterate_repositories(self, after: str) -> Iterator[str]:
        """See ``IRegistryStore``."""
        self.walks += 1
        if self.failure is not None:
            raise self.failure
        return super().iterate_repositories(after)

    def find_repository(self, namespace: str | None, name: str) -> TreeRepository:
        """See ``IRegistryStore``."""
        if name == self.removed:
            raise RepositoryNotFound(name)
        return super().find_repository(namespace, name)


class TotalsTests(WebTestCase):
    """Tests for ``TotalsCounter``."""

    def setUp(self) -> None:
        """Make a counter for a store over the tree."""
        super().setUp()
        self.store = FailingTree(self.root)
        self.counter = self.make_counter()

    def make_counter(self, in_thread: ThreadRunner = execute) -> TotalsCounter:
        """Return a counter."""
        disk = DiskIO(self.clock, in_thread)
        return TotalsCounter(self.store, disk, self.clock, lambda: 86400.0)

    def fetch(self, timeout: float = 1.0) -> RegistryTotals | None:
        """Advance the counter until it waits for time to pass, and fetch its result."""
        fetched = Deferred.fromCoroutine(self.counter.fetch(timeout))
        for _ in range(100):
            self.clock.advance(0)
        return self.successResultOf(fetched)

    def test_counts(self) -> None:
        """Content that several repositories have is in the size once."""
        for name in ("a", "b/c"):
            self.tree.add_image(name, "1")
        self.tree.add_image("b/c", "2", b"other layer")
        totals = self.fetch()
        assert totals is not None
        sizes = {
            name: os.path.getsize(self.tree.path(directory, "manifests", name))
            for directory in ("a", "b/c")
            for name in os.listdir(self.tree.path(directory, "manifests"))
            if name.startswith("sha256:")
        }
        size = sum(sizes.values()) + len(CONFIG) + len(b"layer") + len(b"other layer")
        self.assertEqual(totals, RegistryTotals(3, 2, size, (), 0, 86400.0))

    def test_incomplete(self) -> None:
        """Repositories that are incomplete or cannot be read are listed."""
        for name in ("a", "b"):
            self.tree.add_image(name, "1", name.encode())
        os.unlink(self.tree.path("blobs", str(Digest.of(b"b"))))
        self.tree.link_out("c")
        totals = self.fetch()
        assert totals is not None
        self.assertEqual((totals.repositories, totals.incomplete), (3, ("b", "c")))
        self.assertEqual(totals.uncounted, 1)

    def test_too_much(self) -> None:
        """A repository with too many manifests is counted in ``uncounted`` only."""
        for number in range(MOST_MANIFESTS + 1):
            self.tree.write(b"{}", "a", "manifests", str(Digest.of(b"%d" % number)))
        totals = self.fetch()
        assert totals is not None
        self.assertEqual((totals.uncounted, totals.incomplete), (1, ()))
        self.assertFalse(totals.is_complete)

    def test_removed(self) -> None:
        """A repository that was removed after it was listed is not counted."""
        for name in ("a", "b"):
            self.tree.add_image(name, "1")
        self.store.removed = "a"
        totals = self.fetch()
        assert totals is not None
        self.assertEqual((totals.repositories, totals.images, totals.incomplete), (1, 1, ()))

    def test_interval(self) -> None:
        """A result is used for a minute."""
        self.tree.add_image("a", "1")
        first = self.fetch()
        self.clock.advance(SHORTEST_INTERVAL - 1)
        self.assertIs(self.fetch(), first)
        self.assertEqual(self.store.walks, 1)
        self.clock.advance(2)
        self.assertIs(self.fetch(), first, "the last result is returned at once")
        self.assertIsNot(self.fetch(), first)
        self.assertEqual(self.store.walks, 2)

    def test_long_count(self) -> None:
        """A long count pauses for longer than it reads, and is repeated less often."""
        self.tree.add_image("a", "1")
        threads = ManualThreads()
        self.counter = self.make_counter(threads)
        self.counter.refresh()
        threads.run()
        threads.run()
        self.assertEqual(threads.names(), ["_summarize"])
        self.clock.advance(1.5)
        threads.run()
        self.clock.advance(1.5 * PAUSE_FACTOR - 0.1)
        self.assertEqual(len(threads), 0)
        self.clock.advance(0.2)
        self.assertEqual(len(threads), 1)
        threads.run()
        taken = 1.5 * (PAUSE_FACTOR + 1) + 0.1
        self.clock.advance(taken * INTERVAL_FACTOR - 1)
        self.counter.refresh()
        self.assertEqual(len(threads), 0)
        self.clock.advance(2)
        self.counter.refresh()
        self.assertEqual(len(threads), 1)

    def test_timeout(self) -> None:
        """A request waits for the first count until a timeout; the count continues."""
        threads = ManualThreads()
        self.counter = self.make_counter(threads)
        fetched = [Deferred.fromCoroutine(self.counter.fetch(0.5)) for _ in range(2)]
        self.clock.advance(0.4)
        left = fetched.pop()
        left.cancel()
        self.failureResultOf(left, CancelledError)
        self.assertNoResult(fetched[0])
        self.clock.advance(0.2)
        self.assertIsNone(self.successResultOf(fetched[0]))
        late = Deferred.fromCoroutine(self.counter.fetch(0.5))
        self.assertIsNone(self.successResultOf(late), "no request waits for it any more")
        progress = self.counter.progress
        assert progress is not None
        self.assertEqual((progress.repositories, progress.is_complete), (0, False))
        while len(threads):
            threads.run()
        self.assertIsNotNone(self.counter.totals)
        self.assertIsNone(self.counter.progress)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_unavailable(self) -> None:
        """While the disk does not answer, there is no new result."""
        self.store.failure = StoreUnavailable("the disk sleeps")
        self.assertIsNone(self.fetch())
        self.assertIsNone(self.fetch())
        self.assertEqual(self.store.walks, 1, "it is not retried at once")
        self.store.failure = None
        self.clock.advance(RETRY_INTERVAL)
        self.assertIsNotNone(self.fetch())

    def test_fault(self) -> None:
        """An unexpected error is logged, and the count is retried later."""
        self.store.failure = ZeroDivisionError()
        self.assertIsNone(self.fetch())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.store.failure = None
        self.clock.advance(RETRY_INTERVAL)
        self.assertIsNotNone(self.fetch())


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
