"""A client that speaks TLS to a port that does not learns so at once."""

from tests.support import WebTestCase, parse_response

# The beginning of a ClientHello, without a line end in it.
CLIENT_HELLO = b"\x16\x03\x01\x00\xde\x01\x00\x00\xda\x03\x03"


class HandshakeTests(WebTestCase):
    """Tests for TLS on a port of plain HTTP."""

    def test_refused_at_once(self) -> None:
        """A client that tries https first, as skopeo and podman do, need not wait for http."""
        connection = self.connect()
        connection.send(CLIENT_HELLO)
        response = parse_response(connection.received())
        self.assertEqual(response.code, 400)
        self.assertIn(b"TLS", response.body)
        self.assertTrue(connection.is_closed)

    def test_logged(self) -> None:
        """The log tells the operator which endpoints to look at."""
        self.connect().send(CLIENT_HELLO)
        (event,) = self.logged("request")
        self.assertEqual(event["status"], 400)
        self.assertIn("http://", event["failure"])

    def test_only_at_the_beginning(self) -> None:
        """The same byte later on is a matter of HTTP."""
        connection = self.connect()
        connection.send(b"GET /v2/ HTTP/1.1\r\nX: ")
        connection.send(CLIENT_HELLO)
        self.assertEqual(connection.received(), b"")
