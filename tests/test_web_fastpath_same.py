"""Tests for ``minreg.web.fastpath``: responses are the same with and without it."""

import re
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import execute

from minreg.web.disk import DiskIO
from minreg.web.registry.endpoints import make_root
from minreg.web.site import RegistrySite
from tests.fastpath import BLOB, TAG, FastPathTestCase, said

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
