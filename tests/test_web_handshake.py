"""Tests for TLS clients that connect to a port without TLS."""

from tests.support import WebTestCase, parse_response

# The beginning of a ClientHello, without a line end in it.
CLIENT_HELLO = b"\x16\x03\x01\x00\xde\x01\x00\x00\xda\x03\x03"


class HandshakeTests(WebTestCase):
    """Tests for TLS on a port of plain HTTP."""

    def test_refused_at_once(self) -> None:
        """A client that tries HTTPS first, as skopeo and podman do, is refused at once."""
        connection = self.connect()
        connection.send(CLIENT_HELLO)
        response = parse_response(connection.received())
        self.assertEqual(response.code, 400)
        self.assertIn(b"TLS", response.body)
        self.assertTrue(connection.is_closed)

    def test_logged(self) -> None:
        """The log tells the operator to check the clients' endpoints."""
        self.connect().send(CLIENT_HELLO)
        (event,) = self.logged("request")
        self.assertEqual(event["status"], 400)
        self.assertIn("http://", event["failure"])

    def test_only_at_the_beginning(self) -> None:
        """The same byte later in a connection is invalid HTTP."""
        connection = self.connect()
        connection.send(b"GET /v2/ HTTP/1.1\r\nX: ")
        connection.send(CLIENT_HELLO)
        self.assertEqual(connection.received(), b"")
