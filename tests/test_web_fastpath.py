"""Tests for ``minreg.web.fastpath``: when a cached response is used, and that it is the same."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import execute
from twisted.web.server import NOT_DONE_YET

from minreg.log import RequestRecord
from minreg.oci.names import Digest
from minreg.store.tree import RegistryTree
from minreg.web.disk import DiskIO
from minreg.web.fastpath import FastSite, ResponseCache
from minreg.web.registry.endpoints import make_root
from minreg.web.request import RegistryRequest, RegistryResource
from minreg.web.site import RegistrySite
from tests.fastpath import BLOB, LAYER, TAG, FastPathTestCase, said
from tests.store_support import last_change
from tests.support import ALIASES, Response, write_request
from tests.transports import CLIENT


class WatchedTestCase(FastPathTestCase):
    """A client, and a record of which requests the resources answer."""

    def setUp(self) -> None:
        """Connect a client, and record which requests the resources answer."""
        super().setUp()
        assert isinstance(self.site, FastSite)
        self.fast = self.site
        self.ordinary = self.watch()
        self.client = self.connect()

    def ask(self, path: str = TAG, method: str = "GET", **headers: str) -> tuple[Response, bool]:
        """Send a request; return the response, and whether the resources made it."""
        before = len(self.ordinary)
        response = self.client.request(path, method, headers)
        return response, len(self.ordinary) > before


class RepeatedTests(WatchedTestCase):
    """Tests for when a cached response is used."""

    def test_second_time(self) -> None:
        """A repeated request gets the cached response, and the same line in the log."""
        for path in (
            TAG,
            BLOB,
            f"/v2/rancher/pause/manifests/{self.digest}",
            TAG + "?ns=docker.io",
        ):
            for method in ("GET", "HEAD"):
                first, ordinary = self.ask(path, method)
                self.assertTrue(ordinary)
                self.assertEqual(self.ask(path, method), (first, False))
                first_line, second_line = map(said, self.logged("request")[-2:])
                self.assertEqual(first_line, second_line)

    def test_other_client(self) -> None:
        """The log names the client that sent the request, and not the first one."""
        self.ask()
        self.client = self.connect()
        self.assertFalse(self.ask()[1])
        self.assertEqual(self.logged("request")[-1]["client"], CLIENT.host)

    def test_unusual(self) -> None:
        """Conditional requests, ranges and last requests are not cached."""
        for name, value in (("if-range", "x"), ("range", "bytes=0-"), ("expect", "x")):
            self.ask(**{name: value})
            self.assertTrue(self.ask(**{name: value})[1], name)

    def test_last(self) -> None:
        """The last response before the registry stops closes its connection."""
        self.ask()
        self.client.leave()
        self.client = self.connect()
        stopped = self.site.drain(30)
        response, _ = self.ask()
        self.assertEqual((response.code, response.header("connection")), (200, "close"))
        self.assertTrue(self.client.is_closed)
        self.successResultOf(stopped)

    def test_in_pieces(self) -> None:
        """A request that arrives in pieces, or with others, is not cached."""
        asked = write_request(TAG)
        self.ask()
        before = len(self.ordinary)
        self.client.send(asked[:9])
        self.client.send(asked[9:])
        self.client.send(asked + asked)
        self.assertEqual(len(self.ordinary), before + 3)
        answers = self.client.received().split(b"HTTP/1.1 200 OK")
        self.assertEqual(len(set(answers)), 2)
        self.assertEqual(len(answers), 4)

    def test_after_a_while(self) -> None:
        """A response that was not used lately is made again: checking it may wait for the disk."""
        self.ask()
        self.clock.advance(9)
        self.assertFalse(self.ask()[1])
        self.clock.advance(9)
        self.assertFalse(self.ask()[1])
        self.clock.advance(11)
        self.assertTrue(self.ask()[1])
        self.assertFalse(self.ask()[1])

    def test_just_written(self) -> None:
        """A response from a file that was changed a moment ago is not cached."""
        changed = last_change(self.root)
        self.site = site = self.make_site(RegistryTree(self.root, ALIASES, now=lambda: changed))
        self.client = self.connect()
        self.ask()
        self.assertIsNone(site.response_cache.find(write_request(TAG)))

    def test_reads_nothing(self) -> None:
        """Responses do not pile up for a client that accepts none."""
        self.ask()
        client = self.connect(reads=False)
        for _ in range(1000):
            client.send(write_request(TAG))
        self.assertLess(len(client.transport.waiting), 70_000)

    def test_bounded(self) -> None:
        """Cached responses are dropped when the capacity is exceeded."""
        self.fast.response_cache = ResponseCache(
            self.clock, self.site.notify_observers, capacity=8000
        )
        self.ask()
        self.assertFalse(self.ask()[1])
        self.ask(BLOB)
        self.assertTrue(self.ask()[1])

    def test_many_clients(self) -> None:
        """A client's record is made again after requests from very many others."""
        self.ask()
        response = self.fast.response_cache.find(write_request(TAG))
        assert response is not None
        first = response.record_for("192.0.2.7")
        self.assertIs(response.record_for("192.0.2.7"), first)
        for number in range(64):
            response.record_for(f"198.51.100.{number}")
        again = response.record_for("192.0.2.7")
        self.assertIsNot(again, first)
        self.assertEqual(again.fields(), first.fields())

    def test_many_responses(self) -> None:
        """Each response is reported once, however many others are cached."""
        counts: Counter[str] = Counter()

        def observe(record: RequestRecord, times: int) -> None:
            counts[record.path] += times

        cache = ResponseCache(self.clock, observe)
        keys = [str(number) for number in range(1500)]
        for key in keys:
            response = b"HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\n"
            cache.store(key.encode(), response, RequestRecord("unix", path=key), lambda: True)
        for _ in range(2):
            for key in keys:
                self.assertIsNotNone(cache.find(key.encode()))
        cache.report()
        self.assertEqual(counts, Counter(keys * 2))

    def test_pieces_of_a_body(self) -> None:
        """Parts of a body that are written together follow the head that is held back."""
        self.fast.resource.putChild(b"pieces", PiecesResource())
        response, _ = self.ask("/pieces")
        self.assertEqual(response.body, b"ab")


class PiecesResource(RegistryResource):
    """A resource whose body is written in pieces."""

    isLeaf = True

    def render_GET(self, request: RegistryRequest) -> int:
        """Write the head, and then two pieces."""
        request.setHeader(b"content-length", b"2")
        request.write(b"")
        request.channel.writeSequence([b"a", b"b"])
        request.finish()
        return NOT_DONE_YET


class ChangedTests(WatchedTestCase):
    """Tests for content that changes between two equal requests."""

    def assert_changes(self, change: Callable[[], object], status: int, path: str = TAG) -> None:
        """Send requests before and after a change; the response must change."""
        first, _ = self.ask(path)
        self.assertEqual((first.code, self.ask(path)[1]), (200, False))
        change()
        second, ordinary = self.ask(path)
        self.assertEqual((second.code, ordinary), (status, True))
        self.assertNotEqual(second, first)
        self.assertEqual(self.ask(path)[0], second)

    def test_tag_moves(self) -> None:
        """A tag that is linked to another manifest gives that manifest."""
        tag = self.tree.path("rancher/pause/manifests/3.6")
        other = self.tree.add_image("rancher/pause", None, b"other")
        self.assert_changes(lambda: relink(tag, str(other)), 200)

    def test_link_leads_out(self) -> None:
        """A tag that is linked to a file outside of the root is refused."""
        tag = self.tree.path("rancher/pause/manifests/3.6")
        outside = os.path.abspath(self.mktemp())
        shutil.copy(self.tree.path(f"rancher/pause/manifests/{self.digest}"), outside)
        self.assert_changes(lambda: relink(tag, outside), 404)

    def test_other_repository_comes_first(self) -> None:
        """A repository that the lookup prefers is used as soon as it exists."""
        self.assert_changes(
            lambda: self.tree.add_image("docker.io/rancher/pause", "3.6", b"new"),
            200,
            TAG + "?ns=docker.io",
        )

    def test_blob_is_cut_short(self) -> None:
        """A truncated blob is not found."""
        blob = self.tree.path("blobs", str(Digest.of(LAYER)))
        self.assert_changes(lambda: os.truncate(blob, 3), 404, BLOB)

    def test_blob_goes(self) -> None:
        """A removed blob is not found."""
        blob = self.tree.path("blobs", str(Digest.of(LAYER)))
        self.assert_changes(lambda: os.remove(blob), 404, BLOB)

    def test_other_manifest_says_otherwise(self) -> None:
        """A blob is served after a new manifest states another size for it."""
        image = self.tree.image(LAYER)
        image["layers"] = [{**image["layers"][0], "size": 99}]
        self.ask(BLOB)
        self.tree.add_manifest("rancher/pause", image)
        self.assertTrue(self.ask(BLOB)[1])

    def test_root_goes(self) -> None:
        """A root that was removed is an error, even for cached responses."""
        self.assert_changes(lambda: os.rename(self.root, self.root + "-away"), 503)


def relink(path: str, target: str) -> None:
    """Replace a link."""
    os.remove(path)
    os.symlink(target, path)


PreflightQuery = tuple[str, str, list[tuple[str, str]], str, int, int]
"""Method, path, headers, version, how often it is asked, in how many pieces it arrives."""

PATHS = (
    *(TAG, TAG + "?ns=docker.io", TAG + "?ns=quay.io", TAG + "?ns=docker.io&ns=docker.io"),
    *(BLOB, BLOB + "?ns=docker.io", BLOB.replace("blobs", "manifests"), "/v2/", "/v2/_catalog"),
    *("/v2/rancher/pause/manifests/none", "/v2/rancher/pause/tags/list", "/v2/pause%2f/x", "/"),
)
HEADERS = (
    *(("Accept", "*/*"), ("User-Agent", "containerd/v2.0.4"), ("User-Agent", "\x1b[2J\xff")),
    *(("Range", "bytes=1-"), ("Range", "bytes=9-1"), ("If-None-Match", "*")),
    *(("Connection", "close"), ("Connection", "keep-alive"), ("Expect", "100-continue")),
    *(("Content-Length", "0"), ("Content-Length", "3"), ("Transfer-Encoding", "chunked")),
    *(("If-Range", "x"), ("X", "y"), ("no colon", ""), ("Host", "again")),
)


class SameTests(FastPathTestCase):
    """Compares a site that has a cache with one that has none."""

    def setUp(self) -> None:
        """Create a site with a filled cache, and one without a cache."""
        super().setUp()
        root = make_root(self.make_store(), DiskIO(self.clock, execute))
        self.plain = RegistrySite(root, self.clock, 10)
        self.short = self.make_site(self.make_store())
        for path in PATHS:
            for method in ("GET", "HEAD"):
                self.converse(self.short, [(method, path, [], "HTTP/1.1", 1, 1)])

    @settings(deadline=None, max_examples=40)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(("GET", "HEAD", "POST")),
                st.sampled_from(PATHS),
                st.lists(st.sampled_from(HEADERS), max_size=3),
                st.sampled_from(("HTTP/1.1", "HTTP/1.0")),
                st.integers(1, 3),
                st.integers(1, 2),
            ),
            min_size=1,
            max_size=5,
        )
    )
    def test_same_bytes(self, questions: Sequence[PreflightQuery]) -> None:
        """Any requests, repeated and split in any way, get the same bytes and log lines."""
        self.assertEqual(
            self.converse(self.short, questions), self.converse(self.plain, questions)
        )

    def converse(self, site: RegistrySite, questions: Sequence[PreflightQuery]) -> list[object]:
        """Send requests, with a new connection when one ends; return all bytes and log lines."""
        self.site = site
        del self.events[:]  # type: ignore[attr-defined]
        client = self.connect()
        seen: list[object] = []
        for method, path, headers, version, times, pieces in questions:
            asked = write(method, path, headers, version) * times
            size = -(-len(asked) // pieces)
            for start in range(0, len(asked), size):
                client.send(asked[start : start + size])
            seen.append(re.sub(rb"Date: [^\r]*", b"", client.received()))
            seen.append(client.is_closed)
            if client.is_closed:
                client = self.connect()
        client.leave()
        return [*seen, *map(said, self.logged("request"))]


def write(method: str, path: str, headers: Sequence[tuple[str, str]], version: str) -> bytes:
    """Return a request with any header fields."""
    lines = [f"{method} {path} {version}", "Host: localhost"]
    lines += [f"{name}: {value}" if value else name for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
