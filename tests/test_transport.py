"""Tests for ``minreg.fill.upstream.transport``."""

import os
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import FillError, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.transport import Transport, check_available, retry_after_seconds
from tests.canned import Canned, CannedTransport, Sent

URL = "https://example.com/v2/a/blobs/x"


class FollowTests(SynchronousTestCase):
    """Tests for ``Transport.follow``."""

    def follow(self, targets: Mapping[str, str]) -> list[Sent]:
        """Ask for the URL, with a password, where some URLs redirect to others."""

        def answer(request: Sent) -> Canned:
            if request.url in targets:
                return Canned(307, headers={"Location": targets[request.url]})
            return Canned(200, b"content")

        transport = CannedTransport(answer)
        response, url = transport.follow("GET", URL, {"Range": "bytes=5-"}, "Basic secret")
        self.assertEqual((response.status, url), (200, transport.sent[-1].url))
        return transport.sent

    def test_other_host(self) -> None:
        """The password stays with the registry; the range goes along."""
        first, second = self.follow({URL: "https://cdn.example/x?signature=1"})
        self.assertEqual(first.headers, {"Range": "bytes=5-", "Authorization": "Basic secret"})
        self.assertEqual(second.headers, {"Range": "bytes=5-"})
        self.assertEqual(second.url, "https://cdn.example/x?signature=1")

    def test_same_host(self) -> None:
        """On the same server the password is sent again."""
        _, second = self.follow({URL: "/elsewhere"})
        self.assertEqual(second.url, "https://example.com/elsewhere")
        self.assertIn("Authorization", second.headers)

    def test_other_port(self) -> None:
        """Another port is another server."""
        _, second = self.follow({URL: "https://example.com:8443/elsewhere"})
        self.assertNotIn("Authorization", second.headers)

    def test_endless(self) -> None:
        """A circle of redirects is left after ten."""
        failure = self.assertRaises(UpstreamRefused, self.follow, {URL: URL})
        self.assertEqual(str(failure), f"{URL} redirects more than 10 times")


class StatusTests(SynchronousTestCase):
    """Tests for what statuses and headers mean."""

    def check(self, status: int, **headers: str) -> None:
        """Check a response with a status."""
        transport = CannedTransport(lambda _: Canned(status, headers=headers))
        check_available(transport.send("GET", URL, {}), URL)

    def test_transient(self) -> None:
        """These may be tried again."""
        for status in (408, 429, 499, *range(500, 510), 520, 521, 522, 524, 599):
            failure = self.assertRaises(UpstreamUnavailable, self.check, status)
            self.assertTrue(str(failure).startswith(f"{URL} answered with status {status}"))

    def test_limit(self) -> None:
        """Of a limit the mend is told."""
        failure = self.assertRaises(UpstreamUnavailable, self.check, 429)
        self.assertIn(
            "it limits how much is pulled; try later, or after docker login", str(failure)
        )

    def test_answers(self) -> None:
        """These are answers."""
        for status in (200, 206, 401, 403, 404, 416):
            self.check(status)

    def test_retry_after(self) -> None:
        """Retry-After is read from the response."""
        failure = self.assertRaises(UpstreamUnavailable, self.check, 429, **{"Retry-After": "7"})
        self.assertEqual(failure.retry_after, 7.0)

    def test_retry_after_forms(self) -> None:
        """It is a number of seconds or a date; anything else is none."""
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
        """Find the proxy for a URL."""
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
        """Some hosts are asked directly: by name, by domain, by network, this machine."""
        exempt = "direct.example,.internal,10.0.0.0/8"
        proxy = "http://proxy.example:3128"
        for host in ("direct.example", "a.internal", "10.1.2.3", "localhost", "127.0.0.1"):
            found = self.proxy_for(f"https://{host}:5000/", https_proxy=proxy, no_proxy=exempt)
            self.assertEqual((host, found), (host, ""))
        found = self.proxy_for("https://11.1.2.3/", https_proxy=proxy, no_proxy=exempt)
        self.assertEqual(found, proxy)
