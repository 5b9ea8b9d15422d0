"""Tests for ``minreg.web.site``: the access log, and draining."""

from twisted.internet.address import IPv6Address, UNIXAddress
from twisted.logger import formatEvent

from minreg.oci.names import Digest
from minreg.web.site import RegistrySite
from tests.stores import OneContentStore, OpenFile
from tests.support import Connection, WebTestCase, parse_response, write_request

BLOB = bytes(1 << 20)
PATH = f"/v2/a/blobs/{Digest.of(BLOB)}"


class AccessLogTests(WebTestCase):
    """Tests for the access log."""

    def test_answered(self) -> None:
        """A request that was answered has a line with all fields."""
        self.tree.add_image("quay.io/a", "1", b"0123456789")
        path = f"/v2/a/blobs/{Digest.of(b'0123456789')}"
        self.request(f"{path}?ns=quay.io", headers={"user-agent": "containerd/v2.1.4"})
        (event,) = self.logged("request")
        expected = {
            "event": "request", "client": "192.0.2.1", "method": "GET", "path": path,
            "ns": "quay.io", "status": 200, "bytes": 10, "seconds": 0.0,
            "user_agent": "containerd/v2.1.4", "failure": "",
        }  # fmt: skip
        self.assertEqual({key: event[key] for key in expected}, expected)
        self.assertEqual(
            formatEvent(event).rstrip(),
            f"192.0.2.1 GET {path} ns='quay.io' 200 10B 0.000s 'containerd/v2.1.4'",
        )

    def test_refused(self) -> None:
        """The line of a request that was refused has the reason."""
        self.request("/v2/a/tags/list?ns=b&ns=c")
        self.request("/v2/", "POST")
        malformed, unsupported = self.logged("request")
        self.assertEqual(malformed["failure"], "NAME_INVALID: ns is given more than once")
        self.assertEqual((malformed["status"], malformed["ns"]), (400, "b"))
        self.assertEqual((unsupported["status"], unsupported["method"]), (405, "POST"))
        self.assertIn("UNSUPPORTED", unsupported["failure"])

    def test_one_line_each(self) -> None:
        """Each request of a connection has a line, also one without a user agent."""
        connection = self.connect()
        connection.send(3 * write_request("/v2/"))
        connection.leave()
        self.assertEqual([event["user_agent"] for event in self.logged("request")], ["-"] * 3)

    def test_head(self) -> None:
        """For HEAD, no bytes are counted."""
        self.request("/v2/", "HEAD")
        self.assertEqual(self.logged("request")[0]["bytes"], 0)

    def test_hostile(self) -> None:
        """No text from a client can break a line."""
        for value in ("\x1b[2J\x9b", "{evil} {0} %s", "\xff\xfe", "x" * 9000):
            self.request(
                "/v2/{x}/tags/list?ns={status!r}%0Aforged%1b%ff",
                headers={"user-agent": value},
            )
        for event in self.logged("request"):
            self.assertIn("\nforged\x1b\\xff", event["ns"])
            self.assertNotIn("\n", formatEvent(event))
            self.assertNotIn("\x1b", formatEvent(event))

    def test_control_characters_in_path(self) -> None:
        """A path is logged byte for byte as the client sent it."""
        connection = self.connect()
        connection.send(b"GET /v2/\x7f\x9b HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(self.logged("request")[0]["path"], "/v2/\x7f\x9b")

    def test_clients(self) -> None:
        """A client is logged by its IP address, or as ``unix``."""
        for peer, name in (
            (IPv6Address("TCP", "2001:db8::1", 1), "2001:db8::1"),
            (UNIXAddress(None), "unix"),
        ):
            connection = self.connect()
            connection.transport.peer = peer  # type: ignore[assignment]  # no TCP is that
            connection.send(write_request("/v2/"))
            self.assertEqual(self.logged("request")[-1]["client"], name)


class SiteTests(WebTestCase):
    """Tests for ``RegistrySite``."""

    def test_protocols(self) -> None:
        """TLS negotiates HTTP/1.1 only."""
        self.assertEqual(self.site.acceptableProtocols(), [b"http/1.1"])

    def test_no_log_file(self) -> None:
        """Starting and stopping opens no file and starts no timer."""
        self.site.doStart()
        self.site.doStop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DrainTests(WebTestCase):
    """Tests for ``RegistrySite.drain``."""

    def setUp(self) -> None:
        """Build a site with a large blob."""
        super().setUp()
        self.file = OpenFile(BLOB)
        self.site: RegistrySite = self.make_site(OneContentStore(self.file, len(BLOB)))

    def ask(self, *, reads: bool) -> Connection:
        """Request the blob."""
        connection = self.connect(reads=reads)
        connection.send(write_request(PATH))
        return connection

    def test_nobody(self) -> None:
        """Without connections, draining ends at once."""
        self.successResultOf(self.site.drain(30))
        self.connect().leave()
        self.successResultOf(self.site.drain(30))

    def test_idle(self) -> None:
        """A connection that is idle after a response is closed at once."""
        connection = self.connect()
        connection.request("/v2/")
        drained = self.site.drain(30)
        connection.pump()
        self.assertTrue(connection.is_closed)
        self.successResultOf(drained)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_silent(self) -> None:
        """A new connection whose first request does not arrive in two seconds is closed."""
        connections = [self.connect(), self.connect()]
        connections[1].send(b"GET /v2/ HT")
        drained = self.site.drain(30)
        self.clock.advance(1.9)
        self.assertEqual([connection.is_closed for connection in connections], [False, False])
        self.clock.advance(0.2)
        self.assertEqual([connection.is_closed for connection in connections], [True, True])
        self.successResultOf(drained)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_last_request(self) -> None:
        """A request that is arriving on a new connection is answered, and is the last."""
        for begun in (b"", b"GET /v2/ HT"):
            connection = self.connect()
            if begun:
                connection.send(begun)
            drained = self.site.drain(30)
            connection.send(write_request("/v2/")[len(begun) :])
            response = parse_response(connection.received())
            self.assertEqual((response.code, response.body), (200, b"{}"))
            self.assertEqual(response.header("connection"), "close")
            self.assertTrue(connection.is_closed)
            self.successResultOf(drained)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_busy(self) -> None:
        """A transfer in progress is completed, and then the connection is closed."""
        connection = self.ask(reads=False)
        connection.send(write_request("/v2/"))
        drained = self.site.drain(30)
        self.assertNoResult(drained)
        self.clock.advance(29)
        connection.reads = True
        connection.pump()
        self.assertEqual(len(parse_response(connection.received()).body), len(BLOB))
        self.assertTrue(connection.is_closed)
        self.successResultOf(drained)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut_off(self) -> None:
        """After 30 seconds the remaining connections are aborted, and the log says how many."""
        connection = self.ask(reads=False)
        drained = self.site.drain(30)
        self.clock.advance(30)
        connection.pump()
        self.assertTrue(connection.is_closed)
        self.assertTrue(self.file.closed)
        self.successResultOf(drained)
        (event,) = self.logged("request")
        self.assertEqual(event["failure"], "the registry stopped")
        self.assertTrue(
            any("1 transfers did not end in time" in (formatEvent(e) or "") for e in self.events)
        )
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused_meanwhile(self) -> None:
        """A connection that is being closed already does not delay it."""
        connection = self.connect(reads=False)
        connection.send(b"garbage\r\n")
        drained = self.site.drain(30)
        self.assertNoResult(drained)
        connection.reads = True
        connection.pump()
        self.successResultOf(drained)
