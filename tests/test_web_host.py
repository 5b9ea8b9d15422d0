"""Tests for the header field ``Host``."""

from tests.support import WebTestCase, parse_response


class HostTests(WebTestCase):
    """Tests for ``Host``."""

    def test_host(self) -> None:
        """A request of HTTP/1.1 has one ``Host`` (RFC 9112, section 3.2); HTTP/1.0 needs none."""
        for version, hosts, status in (
            ("1.1", "", 400),
            ("1.1", "Host: a\r\nHost: a\r\n", 400),
            ("1.1", "host: a\r\nHOST: b\r\n", 400),
            ("1.1", "Host:\r\n", 200),
            ("1.0", "", 200),
            ("1.0", "Host: a\r\n", 200),
            ("1.0", "Host: a\r\nHost: b\r\n", 400),
        ):
            connection = self.connect()
            connection.send(f"GET /v2/ HTTP/{version}\r\n{hosts}\r\n".encode("ascii"))
            response = parse_response(connection.received())
            self.assertEqual(response.code, status, (version, hosts))
            if status == 400:
                self.assertEqual(response.error_code, "UNSUPPORTED")

    def test_host_value(self) -> None:
        """The value is a host name or address, with or without a port."""
        connection = self.connect()
        for host, status in (
            ("a_b.example:9080", 200),
            ("192.0.2.1", 200),
            ("[fe80::1]:9080", 200),
            ("a b", 400),
            ("a/b", 400),
            ("u@a", 400),
            ("a:b", 400),
            ("[::1", 400),
            ("<a>", 400),
        ):
            response = connection.request("/v2/", headers={"Host": host})
            self.assertEqual(response.code, status, host)
