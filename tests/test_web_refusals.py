"""Tests for ``minreg.web.channel`` and ``minreg.web.request``: input that is refused."""

from io import BytesIO

from minreg.oci.errors import RegistryError
from tests.support import Connection, Response, WebTestCase, parse_response, write_request

PING = write_request("/v2/")
LIMIT = 64 * 1024


class RefusalTestCase(WebTestCase):
    """A registry that refuses input."""

    def assert_refused(self, connection: Connection, status: int, code: str) -> Response:
        """Check that there is one response, a refusal, and that the connection is closed."""
        answer = connection.received()
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        response = parse_response(answer)
        self.assertEqual((response.code, response.error_code), (status, code))
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("content-length"), str(len(response.body)))
        self.assertEqual(response.header("docker-distribution-api-version"), "registry/2.0")
        self.assertRegex(response.headers["server"], r"\Aminreg/\d")
        self.assertRegex(response.headers["date"], r" GMT\Z")
        self.assertEqual(response.header("connection"), "close")
        self.assertTrue(connection.is_closed)
        (event,) = self.logged("request")
        self.assertEqual((event["status"], event["bytes"]), (status, len(response.body)))
        self.assertEqual(
            (event["client"], event["method"], event["path"]), ("192.0.2.1", "-", "-")
        )
        self.assertIn(code, event["failure"])
        return response


class GarbageTests(RefusalTestCase):
    """Tests for input that is not HTTP."""

    def test_no_request(self) -> None:
        """Input that is not HTTP/1.1 is refused in JSON, once, and logged once."""
        for garbage in (
            b"hello\r\n\r\n",
            b"GET /v2/\r\n\r\n",
            b"GET /v2/ HTTP/2.0\r\n\r\n",
            b"GET /v2/ HTTP/1.1 more\r\n\r\n",
            b"GET  /v2/ HTTP/1.1\r\n\r\n",
            b"G(T /v2/ HTTP/1.1\r\n\r\n",
            b"GET /v2/\xff HTTP/1.1\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nno colon\r\nHost: a\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nbad name: 1\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\nHost: a\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"POST /v2/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        ):
            connection = self.connect()
            connection.send(garbage + PING)
            response = self.assert_refused(connection, 400, "UNSUPPORTED")
            self.assertIn("HTTP/1.1", response.json["errors"][0]["message"])
            del self.events[:]  # type: ignore[attr-defined]

    def test_after_requests(self) -> None:
        """Invalid input after valid requests does not affect their responses."""
        connection = self.connect()
        connection.send(PING + b"garbage\r\n")
        answers = connection.received().split(b"HTTP/1.1 ")[1:]
        self.assertEqual([answer[:3] for answer in answers], [b"200", b"400"])
        self.assertTrue(connection.is_closed)

    def test_more_after_refusal(self) -> None:
        """Data that arrives after a refusal, as is possible with TLS, is not answered."""
        connection = self.connect(reads=False)
        connection.send(b"garbage\r\n")
        connection.channel.dataReceived(PING)
        connection.channel.dataReceived(b"garbage\r\n")
        connection.reads = True
        connection.pump()
        self.assert_refused(connection, 400, "UNSUPPORTED")

    def test_refusal_not_taken(self) -> None:
        """A client that does not accept the refusal is disconnected after 15 seconds."""
        connection = self.connect(reads=False)
        connection.send(b"garbage\r\n")
        self.clock.advance(14)
        self.assertFalse(connection.is_closed)
        self.clock.advance(1)
        connection.pump()
        self.assertTrue(connection.is_closed)


class HeaderLimitTests(RefusalTestCase):
    """Tests for URLs and headers that are too large."""

    def test_url(self) -> None:
        """A URL of more than 16 KiB is refused, even if its line has no end."""
        for end in (b" HTTP/1.1\r\n", b""):
            connection = self.connect()
            connection.send(b"GET /" + b"x" * 16384 + end)
            self.assert_refused(connection, 414, "UNSUPPORTED")
            del self.events[:]  # type: ignore[attr-defined]

    def test_long_url(self) -> None:
        """A shorter URL is an unknown path."""
        self.assertEqual(self.request("/" + "x" * 16000).code, 404)

    def test_header_line(self) -> None:
        """A header line of more than 16 KiB is refused."""
        connection = self.connect()
        connection.send(b"GET /v2/ HTTP/1.1\r\nX: " + b"x" * 16384 + b"\r\n")
        self.assert_refused(connection, 431, "UNSUPPORTED")

    def test_header_size(self) -> None:
        """A header of more than 16 KiB in all is refused."""
        connection = self.connect()
        connection.send(b"GET /v2/ HTTP/1.1\r\n" + 3 * (b"X: " + b"x" * 6000 + b"\r\n"))
        self.assert_refused(connection, 431, "UNSUPPORTED")

    def test_header_count(self) -> None:
        """More than 500 header lines are refused."""
        connection = self.connect()
        connection.send(b"GET /v2/ HTTP/1.1\r\n" + 501 * b"X: 1\r\n" + b"\r\n")
        self.assert_refused(connection, 431, "UNSUPPORTED")


class BodyTests(RefusalTestCase):
    """Tests for requests with a body."""

    def test_dropped(self) -> None:
        """A body of up to 64 KiB is dropped, and the connection can be used again."""
        chunk = b"1000\r\n" + bytes(0x1000) + b"\r\n"
        for head, body in (
            (b"Content-Length: 65536", bytes(LIMIT)),
            (b"Transfer-Encoding: chunked", 16 * chunk + b"0\r\nTrailer: 1\r\n\r\n"),
        ):
            connection = self.connect()
            connection.send(
                b"PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n\r\n" + body
            )
            response = parse_response(connection.received())
            self.assertEqual((response.code, response.error_code), (405, "UNSUPPORTED"))
            self.assertEqual(connection.request("/v2/").code, 200)

    def test_form(self) -> None:
        """Fields of a form in the body are not part of the query."""
        connection = self.connect()
        connection.send(
            b"GET /v2/_catalog HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: 5\r\n\r\nn=abc"
        )
        self.assertEqual(parse_response(connection.received()).code, 200)

    def test_too_long(self) -> None:
        """A body with a longer ``Content-Length`` is refused before it is sent."""
        connection = self.connect()
        connection.send(b"PUT /v2/a/blobs/x HTTP/1.1\r\nContent-Length: 65537\r\n\r\n")
        self.assert_refused(connection, 413, "SIZE_INVALID")

    def test_not_asked_for(self) -> None:
        """A client that sends ``Expect: 100-continue`` for a long body is refused at once."""
        connection = self.connect()
        connection.send(
            b"PUT /v2/ HTTP/1.1\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n"
        )
        self.assert_refused(connection, 413, "SIZE_INVALID")

    def test_asked_for(self) -> None:
        """A client that sends ``Expect`` for a short body gets 100, and then the refusal."""
        connection = self.connect()
        connection.send(
            b"PUT /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        self.assertEqual(connection.received(), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(b"{}")
        self.assertEqual(parse_response(connection.received()).code, 405)

    def test_chunks_too_long(self) -> None:
        """Chunks that exceed the limit together are refused, even if the last one has arrived."""
        head = b"PATCH /v2/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        chunk = b"8000\r\n" + bytes(0x8000) + b"\r\n"
        for end in (b"", b"0\r\n\r\n", chunk + b"0\r\n\r\n" + PING):
            connection = self.connect()
            connection.send(head + 3 * chunk + end)
            self.assert_refused(connection, 413, "SIZE_INVALID")
            del self.events[:]  # type: ignore[attr-defined]

    def test_nothing_kept(self) -> None:
        """A body is not kept in memory."""
        connection = self.connect()
        connection.send(
            b"PUT /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n" + bytes(65000)
        )
        content = connection.channel.requests[0].content
        assert isinstance(content, BytesIO)
        self.assertEqual(content.getvalue(), b"")


class TooManyConnectionsTests(RefusalTestCase):
    """Tests for the number of connections."""

    def test_one_too_many(self) -> None:
        """A connection beyond the limit is refused; after another has ended, it is accepted."""
        connections = [self.connect() for _ in range(10)]
        self.assert_refused(self.connect(), 503, "UNAVAILABLE")
        connections[0].leave()
        self.assertEqual(self.request("/v2/").code, 200)

    def test_message(self) -> None:
        """The body of a refusal has a sentence for people."""
        for _ in range(10):
            self.connect()
        response = parse_response(self.connect().received())
        self.assertIn("too many connections", response.json["errors"][0]["message"])

    def test_error_is_one(self) -> None:
        """A connection is refused only once."""
        connection = self.connect(reads=False)
        for _ in range(2):
            connection.channel.refuse(RegistryError(400, "UNSUPPORTED", "no"))
        connection.reads = True
        connection.pump()
        self.assert_refused(connection, 400, "UNSUPPORTED")


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
