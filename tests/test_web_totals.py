"""Tests for ``minreg.web.status.totals``."""

import os
from collections.abc import Iterator

from twisted.internet.defer import CancelledError, Deferred, execute

from minreg.oci.names import Digest
from minreg.store.interfaces import RepositoryNotFound, StoreUnavailable
from minreg.store.repository import TreeRepository
from minreg.store.summary import MOST_MANIFESTS
from minreg.store.tree import RegistryTree
from minreg.web.disk import DiskIO, ThreadRunner
from minreg.web.status.totals import (
    INTERVAL_FACTOR,
    PAUSE_FACTOR,
    RETRY_INTERVAL,
    SHORTEST_INTERVAL,
    RegistryTotals,
    TotalsCounter,
)
from tests.stores import ManualThreads
from tests.support import WebTestCase

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
