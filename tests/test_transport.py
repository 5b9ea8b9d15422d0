"""Tests for ``minreg.fill.upstream.transport``."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain, repeat

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import FillError, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.transport import Transport, check_available, retry_after_seconds
from tests.canned import Canned, CannedTransport, Sent
from tests.memory_network import Coming, MemoryTransport

URL = "https://example.com/v2/a/blobs/x"


class FollowTests(SynchronousTestCase):
    """Tests for ``Transport.follow``."""

    def follow(self, targets: Mapping[str, str]) -> list[Sent]:
        """Request the URL, with credentials, where some URLs redirect to others."""

        def answer(request: Sent) -> Canned:
            if request.url in targets:
                return Canned(307, headers={"Location": targets[request.url]})
            return Canned(200, b"content")

        transport = CannedTransport(answer)
        response, url = transport.follow("GET", URL, {"Range": "bytes=5-"}, "Basic secret")
        self.assertEqual((response.status, url), (200, transport.sent[-1].url))
        return transport.sent

    def test_other_host(self) -> None:
        """Credentials are not sent to another host; Range is."""
        first, second = self.follow({URL: "https://cdn.example/x?signature=1"})
        self.assertEqual(first.headers, {"Range": "bytes=5-", "Authorization": "Basic secret"})
        self.assertEqual(second.headers, {"Range": "bytes=5-"})
        self.assertEqual(second.url, "https://cdn.example/x?signature=1")

    def test_same_host(self) -> None:
        """Credentials are sent again to the same origin."""
        _, second = self.follow({URL: "/elsewhere"})
        self.assertEqual(second.url, "https://example.com/elsewhere")
        self.assertIn("Authorization", second.headers)

    def test_other_port(self) -> None:
        """Another port is another origin."""
        _, second = self.follow({URL: "https://example.com:8443/elsewhere"})
        self.assertNotIn("Authorization", second.headers)

    def test_endless(self) -> None:
        """More than ten redirects are refused."""
        failure = self.assertRaises(UpstreamRefused, self.follow, {URL: URL})
        self.assertEqual(str(failure), f"{URL} redirects more than 10 times")


class BodyTests(SynchronousTestCase):
    """Tests for ``Transport.read_body``, on sockets in memory."""

    def read(self, answer: Callable[[], Iterable[Coming]]) -> bytes:
        """Request something, and read at most 1000 bytes of the answer."""
        transport = MemoryTransport(lambda _: answer())
        url = "http://example.com/v2/a/blobs/x"
        return transport.read_body(transport.send("GET", url, {}), url, 1000)

    def test_chunks(self) -> None:
        """A body in chunks is read, however small they are."""
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = self.read(lambda: [head, *[b"1\r\nx\r\n"] * 1000, b"0\r\n\r\n"])
        self.assertEqual(body, b"x" * 1000)

    def test_endless_body(self) -> None:
        """A body without end is refused at the limit."""
        for head, piece in (
            (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ):
            endless = partial(chain, [head], repeat(piece))
            failure = self.assertRaises(UpstreamRefused, self.read, endless)
            self.assertIn("is larger than 1000 bytes", str(failure))

    def test_endless_header(self) -> None:
        """A header without end is not read to its end."""
        endless = partial(chain, [b"HTTP/1.1 200 OK\r\n"], repeat(b"a: b\r\n"))
        failure = self.assertRaises(UpstreamUnavailable, self.read, endless)
        self.assertEqual(str(failure), "example.com: it does not answer as a web server does")

    def test_stall(self) -> None:
        """A server that is silent until the socket's time limit can be tried again."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"
        failure = self.assertRaises(
            UpstreamUnavailable, self.read, lambda: [head, TimeoutError("timed out")]
        )
        self.assertIn("timed out", str(failure))


class StatusTests(SynchronousTestCase):
    """Tests for ``check_available`` and ``retry_after_seconds``."""

    def check(self, status: int, **headers: str) -> None:
        """Check a response with a status."""
        transport = CannedTransport(lambda _: Canned(status, headers=headers))
        check_available(transport.send("GET", URL, {}), URL)

    def test_transient(self) -> None:
        """These statuses can be retried."""
        for status in (408, 429, 499, 500, *range(502, 510), 520, 521, 522, 524, 599):
            failure = self.assertRaises(UpstreamUnavailable, self.check, status)
            self.assertTrue(str(failure).startswith(f"{URL} answered with status {status}"))

    def test_limit(self) -> None:
        """A rate limit is reported with what to do."""
        failure = self.assertRaises(UpstreamUnavailable, self.check, 429)
        self.assertIn("(too many pulls); try later, or log in with docker login", str(failure))

    def test_answers(self) -> None:
        """These statuses are final."""
        for status in (200, 206, 401, 403, 404, 416, 501):
            self.check(status)

    def test_retry_after(self) -> None:
        """Retry-After is read from the response."""
        failure = self.assertRaises(UpstreamUnavailable, self.check, 429, **{"Retry-After": "7"})
        self.assertEqual(failure.retry_after, 7.0)

    def test_retry_after_forms(self) -> None:
        """It is a number of seconds or a date; anything else is ignored."""
        now = 784111777.0
        self.assertEqual(retry_after_seconds(" 120 ", now), 120.0)
        self.assertEqual(retry_after_seconds("Sun, 06 Nov 1994 08:50:07 GMT", now), 30.0)
        self.assertEqual(retry_after_seconds("Sun, 06 Nov 1994 08:00:00 GMT", now), 0.0)
        for nonsense in ("", "soon", "-5", "1e9"):
            self.assertIsNone(retry_after_seconds(nonsense, now))


class CertificateAuthoritiesTests(SynchronousTestCase):
    """Tests for ``ca_file``."""

    def test_ca_file(self) -> None:
        """A file without certificates is reported."""
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("nothing")
        failure = self.assertRaises(FillError, Transport, path)
        self.assertIn(
            f"{path} gives no certificate authorities: no certificate in PEM is in it",
            str(failure),
        )


class ProxyTests(SynchronousTestCase):
    """Tests for the choice of a proxy, with the environment that it is read from."""

    def setUp(self) -> None:
        """Set the environment for one test."""
        for name in ("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY"):
            self.patch(os, "environ", {k: v for k, v in os.environ.items() if k != name})

    def proxy_for(self, url: str, **environment: str) -> str:
        """Return the proxy for a URL."""
        self.patch(os, "environ", {**os.environ, **environment})
        return Transport()._proxy_for(url)

    def test_proxy(self) -> None:
        """Each scheme has its proxy."""
        proxy = "http://proxy.example:3128"
        self.assertEqual(self.proxy_for(URL, https_proxy=proxy), proxy)
        self.assertEqual(self.proxy_for("http://example.com/", https_proxy=proxy), "")
        self.assertEqual(
            self.proxy_for(URL, https_proxy="proxy.example:1"), "http://proxy.example:1"
        )

    def test_no_proxy(self) -> None:
        """Hosts in no_proxy (by name, domain, network) and loopback addresses need no proxy."""
        exempt = "direct.example,.internal,10.0.0.0/8"
        proxy = "http://proxy.example:3128"
        for host in ("direct.example", "a.internal", "10.1.2.3", "localhost", "127.0.0.1"):
            found = self.proxy_for(f"https://{host}:5000/", https_proxy=proxy, no_proxy=exempt)
            self.assertEqual((host, found), (host, ""))
        found = self.proxy_for("https://11.1.2.3/", https_proxy=proxy, no_proxy=exempt)
        self.assertEqual(found, proxy)
