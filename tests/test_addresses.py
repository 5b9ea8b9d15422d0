"""Tests for ``minreg.fill.upstream.url_policy``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import UpstreamRefused
from minreg.fill.upstream.url_policy import base_url, check_realm, is_same_origin, resolve_redirect


class AddressTests(SynchronousTestCase):
    """Tests for addresses of registries."""

    def test_base_url(self) -> None:
        """A registry is requested by https, unless it is a loopback address or in plain_http."""
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
        """An origin is scheme, host and port; the default port can be omitted."""
        self.assertTrue(is_same_origin("https://a/x", "https://a:443/y"))
        for other in (
            "https://a:0/x",
            "http://a/x",
            "https://b/x",
            "https://a:444/x",
            "https://a.b/x",
        ):
            self.assertFalse(is_same_origin("https://a/x", other))


class ResolveRedirectTests(SynchronousTestCase):
    """Tests for ``resolve_redirect``."""

    def test_allowed(self) -> None:
        """A redirect can be relative, and lead to another host."""
        url = "https://example.com/v2/a"
        self.assertEqual(resolve_redirect(url, "/b?c"), "https://example.com/b?c")
        self.assertEqual(resolve_redirect(url, "https://cdn.example/x"), "https://cdn.example/x")
        self.assertEqual(
            resolve_redirect("http://10.0.0.1/", "http://10.0.0.2/x"), "http://10.0.0.2/x"
        )

    def test_refused(self) -> None:
        """Redirects to plain HTTP, private networks and files are refused."""
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
            self.assertRaises(
                UpstreamRefused, resolve_redirect, "https://example.com/v2/a", location
            )

    @given(st.text())
    def test_anything(self, location: str) -> None:
        """Any Location is resolved to an https URL or refused."""
        try:
            target = resolve_redirect("https://example.com/v2/a", location)
        except UpstreamRefused:
            return
        self.assertTrue(target.startswith("https://"))


class CheckRealmTests(SynchronousTestCase):
    """Tests for ``check_realm``."""

    def test_trusted(self) -> None:
        """A token server with TLS, or one beside a private registry, may receive credentials."""
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
