"""Tests for ``minreg.k3s.registries.mirror_endpoints``: they are what K3s itself makes of them."""

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.mirror_endpoints import (
    EndpointInvalid,
    is_local,
    parse_endpoint,
    split_port,
)


class ParseEndpointTests(SynchronousTestCase):
    """Tests for ``parse_endpoint``."""

    def test_unusual(self) -> None:
        """What people write beside plain hosts comes out as Go would write it."""
        for text, expected in (
            ("HTTPS://Reg.Example", "https://Reg.Example/v2"),
            ("http://[::1]:9080", "http://[::1]:9080/v2"),
            ("[::1]:5000", "http://[::1]:5000/v2"),
            ("[::1]", "https://[::1]/v2"),
            ("http://[fe80::1%25eth0]:80/v2", "http://[fe80::1%25eth0]:80/v2"),
            ("https://r.example:", "https://r.example:/v2"),
            ("http://user:p@ss@r.example:80", "http://user:p%40ss@r.example:80/v2"),
            ("https://r.example/v2/", "https://r.example/v2/"),
            ("r.example/a b", "https://r.example/a%20b"),
            ("https://r.example/a(b)%2f", "https://r.example/a(b)%2f"),
            ("https://r.example/v2?x=1#y", "https://r.example/v2?x=1#y"),
            ("https://é.example/é", "https://%C3%A9.example/%C3%A9"),
            ("ftp://r.example", "ftp://r.example/v2"),
            ("127.0.0.1:443", "https://127.0.0.1:443/v2"),
            ("127.0.0.2:80", "http://127.0.0.2:80/v2"),
            ("https://docker.io", "https://registry-1.docker.io/v2"),
            ("::1", "http://::1/v2"),
            ("", "https:///v2"),
        ):
            self.assertEqual(str(parse_endpoint(text)), expected)

    def test_invalid(self) -> None:
        """What is no URL is refused, with what to write instead."""
        for text, fix in (
            ("https://r.example:port", "write https://HOST"),
            ("a b", "write https://HOST"),
            ("1a://r.example", "write http:// or https://"),
            ("https://r.example/%zz", "write %25"),
            ("https://r.example/\n", "delete it"),
            ("https://\udcff", "delete it"),
            ("https://[::1", "write https://HOST"),
        ):
            with self.assertRaises(EndpointInvalid) as caught:
                parse_endpoint(text)
            self.assertIn(fix, str(caught.exception))

    def test_registry(self) -> None:
        """The name in ``configs`` is the host with its port, and ``docker.io`` for its API."""
        for text, name in (
            ("http://127.0.0.1:9080/a", "127.0.0.1:9080"),
            ("https://user@r.example", "r.example"),
            ("https://registry-1.docker.io", "docker.io"),
        ):
            self.assertEqual(parse_endpoint(text).registry, name)

    def test_embedded(self) -> None:
        """The embedded registry's address means TLS, though it is this machine's."""
        self.assertEqual(parse_endpoint("127.0.0.1:6443").scheme, "http")
        self.assertEqual(parse_endpoint("127.0.0.1:6443", "127.0.0.1:6443").scheme, "https")

    def test_brackets(self) -> None:
        """In brackets too, Go refuses characters that a host must not contain."""
        for text in ("[\\]", "https://[a b]:5000", "[::1%25a\\]", "[%5C]", "[{]"):
            self.assertRaises(EndpointInvalid, parse_endpoint, text)
        self.assertEqual(str(parse_endpoint("[::1%25eth0]")), "https://[::1%25eth0]/v2")

    @given(st.text(st.characters(), max_size=30))
    @example("[\\]")
    @example("[\u00e9%25\u00e9]")
    def test_anything(self, text: str) -> None:
        """Any text is refused, or is an endpoint that parses to itself."""
        try:
            endpoint = parse_endpoint(text)
        except EndpointInvalid:
            return
        self.assertEqual(str(parse_endpoint(str(endpoint))), str(endpoint))


class HostTests(SynchronousTestCase):
    """Tests for ``is_local`` and ``split_port``."""

    def test_local(self) -> None:
        """This machine is known by its names and addresses."""
        for host in ("localhost", "localhost:5000", "127.0.0.1", "127.8.9.1:80", "[::1]:80"):
            self.assertTrue(is_local(host), host)
        for host in ("example.com", "localhost.example", "10.0.0.1:5000", "*", "", "[::2]:80"):
            self.assertFalse(is_local(host), host)

    def test_port(self) -> None:
        """A port is what stands behind a host, not part of an IPv6 address."""
        for host, parts in (
            ("a:1", ("a", "1")),
            ("a", ("a", "")),
            ("[::1]:1", ("::1", "1")),
            ("[::1]", ("[::1]", "")),
            ("::1", ("::1", "")),
        ):
            self.assertEqual(split_port(host), parts)
