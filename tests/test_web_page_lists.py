"""Tests for the lists on pages: search, rows that cannot be read, and the order of tags."""

import gc
import os
from collections.abc import Callable, Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import Digest
from minreg.store.interfaces import ContentInvalid, RepositoryNotFound, StoreUnavailable
from minreg.store.repository import TreeRepository
from minreg.store.summary import MOST_MANIFESTS
from minreg.store.tree import RegistryTree
from minreg.web.pages import search
from minreg.web.pages.search import LONGEST_AGE, REFRESH_INTERVAL
from minreg.web.pages.tables import TABLE_TIMEOUT
from minreg.web.pages.tags import skip_to, sort_tags
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


TAGS = st.lists(
    st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,2}(-(rc|k3s)[0-9])?|[a-z]{1,3}", fullmatch=True),
    unique=True,
)


class SortTagsTests(SynchronousTestCase):
    """Tests for ``sort_tags`` and ``skip_to``."""

    def test_order(self) -> None:
        """The newest version comes first, and pre-releases after their release."""
        for ordered in (
            ["v1.10.0", "v1.9.2", "v1.9.1", "v1.1"],
            ["1.10", "1.9", "1.9-rc10", "1.9-rc2", "1.9-beta.1", "1.9-alpha", "1.8"],
            ["v1.33.4-k3s2", "v1.33.4-k3s1", "v1.33.4", "v1.33.4-rc1-k3s1", "v1.33.3-k3s9"],
            ["3.20", "3.9-alpine", "3.9", "3.9b1", "3.8"],
            ["1.36.1", "1.36", "edge", "latest", "sha256-abc"],
            ["20240902", "v3", "main"],
            ["1.10.1", "1.10.0", "1.10"],
            ["1.2-preview1", "1.1-prelude"],
            ["1.1-prelude", "1.1", "1.1-pre"],
        ):
            self.assertEqual(sort_tags(sorted(ordered)), ordered)

    def test_long_numbers(self) -> None:
        """A tag may consist of 128 digits."""
        self.assertEqual(sort_tags(["0", "9" * 128]), ["9" * 128, "0"])

    def test_skip(self) -> None:
        """A page begins after a tag, even if that was removed."""
        tags = sort_tags(["1.9", "1.10", "1.2", "a", "c"])
        self.assertEqual(skip_to(tags, ""), tags)
        self.assertEqual(skip_to(tags, "1.9"), ["1.2", "a", "c"])
        self.assertEqual(skip_to(tags, "1.8"), ["1.2", "a", "c"])
        self.assertEqual(skip_to(tags, "b"), ["c"])
        self.assertEqual(skip_to(tags, "\u0660\x00" * 100), [])
        self.assertEqual(skip_to(tags, "1.8\u00b2\u0662"), ["1.2", "a", "c"])

    @given(TAGS, st.text())
    def test_any(self, tags: list[str], after: str) -> None:
        """No tag is lost, and the pages are parts of the sorted list."""
        ordered = sort_tags(tags)
        self.assertEqual(sorted(ordered), sorted(tags))
        for number, tag in enumerate(ordered):
            self.assertEqual(skip_to(ordered, tag), ordered[number + 1 :])
        self.assertLessEqual(set(skip_to(ordered, after)), set(tags))
