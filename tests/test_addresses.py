"""Tests for ``minreg.fill.upstream.url_policy``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import UpstreamRefused
from minreg.fill.upstream.url_policy import base_url, check_realm, is_same_origin, redirected


class AddressTests(SynchronousTestCase):
    """Tests for addresses of registries."""

    def test_base_url(self) -> None:
        """A registry is asked by https, unless it is on this machine or said to be plain."""
        plain = frozenset({"plain.example:5000", "usual.example"})
        for host, url in {
            "docker.io": "https://registry-1.docker.io",
            "quay.io": "https://quay.io",
            "localhost:5000": "http://localhost:5000",
            "127.0.0.1:5000": "http://127.0.0.1:5000",
            "[::1]:5000": "http://[::1]:5000",
            "plain.example:5000": "http://plain.example:5000",
            "plain.example": "https://plain.example",
            "quay.io:443": "https://quay.io:443",
            "localhost:443": "http://localhost:443",
            "plain.example:80": "https://plain.example:80",
            "usual.example:80": "http://usual.example:80",
            "usual.example": "http://usual.example",
        }.items():
            self.assertEqual(base_url(host, plain), url)

    def test_origin(self) -> None:
        """Scheme, host and port make the origin, and a default port is a port."""
        self.assertTrue(is_same_origin("https://a/x", "https://a:443/y"))
        for other in (
            "https://a:0/x",
            "http://a/x",
            "https://b/x",
            "https://a:444/x",
            "https://a.b/x",
        ):
            self.assertFalse(is_same_origin("https://a/x", other))


class RedirectedTests(SynchronousTestCase):
    """Tests for ``redirected``."""

    def test_allowed(self) -> None:
        """A redirect may be relative, and may lead to another host."""
        url = "https://example.com/v2/a"
        self.assertEqual(redirected(url, "/b?c"), "https://example.com/b?c")
        self.assertEqual(redirected(url, "https://cdn.example/x"), "https://cdn.example/x")
        self.assertEqual(redirected("http://10.0.0.1/", "http://10.0.0.2/x"), "http://10.0.0.2/x")

    def test_refused(self) -> None:
        """It leads neither to plain HTTP, nor into a private network, nor to a file."""
        for location in (
            "http://example.com/b",
            "https://127.0.0.1/b",
            "https://localhost/b",
            "https://169.254.169.254/latest",
            "https://[::1]/b",
            "file:///etc/passwd",
            "https://[broken",
            "https://cdn.example:99999/x",
            "https://cdn.example:0/x",
        ):
            self.assertRaises(UpstreamRefused, redirected, "https://example.com/v2/a", location)

    @given(st.text())
    def test_anything(self, location: str) -> None:
        """Whatever a server sends, it is followed on the web or refused."""
        try:
            target = redirected("https://example.com/v2/a", location)
        except UpstreamRefused:
            return
        self.assertTrue(target.startswith("https://"))


class CheckRealmTests(SynchronousTestCase):
    """Tests for ``check_realm``."""

    def test_trusted(self) -> None:
        """A token server with TLS may be told a password, one beside the registry too."""
        check_realm("https://example.com", "https://auth.example.com/token?x=y")
        check_realm("http://127.0.0.1:5000", "http://127.0.0.1:5001/token")
        check_realm("https://10.0.0.1", "https://10.0.0.2/token")

    def test_refused(self) -> None:
        """Others may not."""
        for realm in (
            "http://auth.example.com/",
            "https://127.0.0.1/",
            "https://auth.example.com:99999/",
            "ftp://x/",
            "",
            "//[x",
        ):
            self.assertRaises(UpstreamRefused, check_realm, "https://example.com", realm)
