"""Tests for ``minreg.web.fastpath.request_parser``: it reads in a request what Twisted does."""

import re
from collections.abc import Sequence
from typing import ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.fastpath.request_parser import parse_simple_request
from minreg.web.request import RegistryRequest
from tests.shortcuts import TAG, ShortcutTestCase, said
from tests.support import write_request

LINES = (
    *(f"GET {TAG} HTTP/1.1", f"HEAD {TAG}?ns=docker.io&ns=x HTTP/1.1", "GET * HTTP/1.1"),
    *("GET http://x/v2/ HTTP/1.1", "GET /v2/\xa0 HTTP/1.1", "GET /v2/\xb1 HTTP/1.1"),
    "GET /v2/?a=%41 HTTP/1.1",
    *("POST /v2/ HTTP/1.1", "get /v2/ HTTP/1.1", "GET /v2/ HTTP/1.0", "GET /v2/ HTTP/1.1 "),
    *("GET  /v2/ HTTP/1.1", "GET /v2/\tHTTP/1.1", "GET /v2/", "", " GET /v2/ HTTP/1.1"),
)
FIELDS = (
    *("Host: x", "host:x", "user-AGENT: \t x y \t", "Accept: a, */*", "X_y:", "x: a:b", "X: \xff"),
    *("Range: bytes=1-", 'If-None-Match: "a", *', "Cookie: a=b", "etag: x", "te: x", "x!.~: x"),
    *("Connection: close", "connection: keep-alive", "Expect: 100-continue", "Trailer: x"),
    *("Content-Length: 0", "Content-Length: 7", "Transfer-Encoding: chunked", "Content-Type: x"),
    *("no colon", "a space: x", "space : x", " folded: x", ": x", "\xe4: x", "nul: a\0", "a\0: x"),
    *("return: a\rb", "feed: a\nb", f"long: {'x' * 3000}"),
)


class Noting(RegistryRequest):
    """A request that tells what was read."""

    seen: ClassVar[list[object]] = []

    def process(self) -> None:
        """Note all that a resource may look at."""
        headers = sorted(self.requestHeaders.getAllRawHeaders())
        read = (self.method, self.uri, self.path, self.args, self.clientproto, headers)
        self.seen.append(read)
        self.seen.append((self.client, self.host, self.getAllHeaders()))
        super().process()


class SameTests(ShortcutTestCase):
    """However a request arrives, it is read alike."""

    @settings(deadline=None, max_examples=200)
    @given(
        st.sampled_from(LINES),
        st.lists(st.sampled_from(FIELDS), max_size=3),
        st.sampled_from(("", "more", "GET /v2/ HTTP/1.1\r\n\r\n")),
    )
    def test_same(self, line: str, fields: Sequence[str], more: str) -> None:
        """What arrives in one piece is answered as what arrives byte by byte."""
        lines = [line, *fields, "", more]
        asked = "\r\n".join(lines).encode("latin-1")
        pieces = [asked[at : at + 1] for at in range(len(asked))]
        self.assertEqual(self.converse([asked]), self.converse(pieces))

    def converse(self, pieces: Sequence[bytes]) -> list[object]:
        """Send a request, and return all that can be seen of what becomes of it."""
        self.site = self.make_site(self.make_store())
        self.site.requestFactory = Noting
        Noting.seen.clear()
        del self.events[:]  # type: ignore[attr-defined]
        client = self.connect()
        for piece in pieces:
            client.send(piece)
        answer = re.sub(rb"Date: [^\r]*", b"", client.received())
        is_closed = client.is_closed
        client.exit_with_error()
        return [answer, is_closed, *Noting.seen, *map(said, self.logged("request"))]


class PlainTests(SynchronousTestCase):
    """Tests for ``parse_simple_request``."""

    def test_plain(self) -> None:
        """What clients send is plain."""
        headers = {"User-Agent": "containerd/v2.0.4", "Accept": "*/*", "If-None-Match": '"x"'}
        plain = parse_simple_request(write_request(TAG, "HEAD", headers))
        assert plain is not None
        self.assertEqual((plain.method, plain.target), (b"HEAD", TAG.encode("ascii")))
        self.assertEqual(plain.headers.getRawHeaders(b"accept"), [b"*/*"])

    def test_not_plain(self) -> None:
        """What Twisted acts upon, or refuses, is not plain, nor what is more than one request."""
        for asked in (
            write_request(TAG, "POST"),
            write_request(TAG, headers={"connection": "close"}),
            write_request(TAG, headers={"Content-Length": "3"}),
            write_request(TAG, headers={"transfer-encoding": "chunked"}),
            write_request(TAG, headers={"Expect": "100-continue"}),
            write_request(TAG, headers={"Cookie": "a=b"}),
            write_request(TAG, headers={"X": "nul\0"}),
            write_request(TAG, headers={"X": "y" * 2000}),
            write_request(TAG, headers={"X y": "z"}),
            write_request(TAG)[:-2],
            write_request(TAG) * 2,
            write_request(TAG) + b"x",
        ):
            self.assertIsNone(parse_simple_request(asked))
