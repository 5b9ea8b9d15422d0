"""Tests for ``minreg.web.transfer.producers``."""

from minreg.oci.names import Digest
from minreg.store.interfaces import SMALL
from tests.stores import OneContentStore, OpenFile
from tests.support import Connection, WebTestCase, parse_response, write_request

BLOB = bytes(range(256)) * 4096  # 1 MiB
PATH = f"/v2/a/blobs/{Digest.of(BLOB)}"


class StreamingTestCase(WebTestCase):
    """A registry with one blob of a mebibyte, whose file the test controls."""

    def setUp(self) -> None:
        """Build a site for that blob."""
        super().setUp()
        self.use(OpenFile(BLOB))

    def use(self, file: OpenFile) -> None:
        """Use another file for the blob from now on."""
        self.file = file
        self.site = self.make_site(OneContentStore(file, len(BLOB)))

    def ask(self, ranges: str = "", *, reads: bool = True) -> Connection:
        """Request the blob, or ranges of it, on a new connection."""
        connection = self.connect(reads=reads)
        connection.send(write_request(PATH, headers={"range": ranges} if ranges else {}))
        return connection


class WholeTests(StreamingTestCase):
    """Tests for whole blobs and single ranges."""

    def test_all_bytes(self) -> None:
        """A large blob is sent completely, and the connection can be used again."""
        connection = self.ask()
        response = parse_response(connection.received())
        self.assertEqual((response.code, response.header("content-length")), (200, "1048576"))
        self.assertEqual(response.body, BLOB)
        self.assertIsNone(response.header("transfer-encoding"))
        self.assertTrue(self.file.closed)
        self.assertEqual(connection.request("/v2/").code, 200)

    def test_range(self) -> None:
        """A long range of a large blob is sent in pieces too."""
        response = parse_response(self.ask("bytes=1000-900999").received())
        self.assertEqual((response.code, response.body), (206, BLOB[1000:901000]))
        self.assertEqual(response.header("content-length"), "900000")
        self.assertTrue(self.file.closed)

    def test_small_pieces(self) -> None:
        """At most one piece of a blob is in memory at a time."""
        self.ask()
        self.assertEqual(self.file.largest_read, SMALL)

    def test_slow_client(self) -> None:
        """If a client does not read, the file is not read."""
        connection = self.ask(reads=False)
        self.assertLess(self.file.tell(), 3 * SMALL)
        connection.pump()
        self.assertLess(self.file.tell(), 3 * SMALL)
        connection.reads = True
        connection.pump()
        self.assertEqual(parse_response(connection.received()).body, BLOB)

    def test_client_leaves(self) -> None:
        """If a client leaves, the file is closed at once."""
        connection = self.ask(reads=False)
        self.assertFalse(self.file.closed)
        connection.leave()
        self.assertTrue(self.file.closed)
        (event,) = self.logged("request")
        self.assertEqual((event["status"], event["failure"]), (200, "the client left"))
        self.assertLess(event["bytes"], 3 * SMALL)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut_short(self) -> None:
        """If a file is truncated while it is sent, the connection is closed without padding."""
        connection = self.ask(reads=False)
        self.file.truncate(500_000)
        connection.reads = True
        connection.pump()
        self.assertEqual(parse_response(connection.received()).body, BLOB[:500_000])
        self.assertTrue(connection.is_closed)
        self.assertTrue(self.file.closed)
        (event,) = self.logged("request")
        self.assertEqual(event["failure"], "the file was truncated while it was sent")
        self.assertEqual(event["bytes"], 500_000)

    def test_range_cut_short(self) -> None:
        """The same holds for a range."""
        connection = self.ask("bytes=100-", reads=False)
        self.file.truncate(500_000)
        connection.reads = True
        connection.pump()
        self.assertEqual(parse_response(connection.received()).body, BLOB[100:500_000])
        self.assertTrue(connection.is_closed)

    def test_grows(self) -> None:
        """If a file grows while it is sent, only ``Content-Length`` bytes are sent."""
        connection = self.ask(reads=False)
        position = self.file.tell()
        self.file.seek(0, 2)
        self.file.write(b"more")
        self.file.seek(position)
        connection.reads = True
        connection.pump()
        self.assertEqual(parse_response(connection.received()).body, BLOB)
        self.assertFalse(connection.is_closed)

    def test_disk_fails(self) -> None:
        """If the disk fails during a response, the connection is closed, and the log says so."""
        self.file.fails_at = 200_000
        connection = self.ask()
        body = parse_response(connection.received()).body
        self.assertTrue(BLOB.startswith(body))
        self.assertLess(len(body), len(BLOB))
        self.assertTrue(connection.is_closed)
        (event,) = self.logged("request")
        self.assertEqual(event["failure"], "[Errno 5] Input/output error")

    def test_disk_fails_first(self) -> None:
        """If the disk fails before anything is sent, the client gets an error document."""
        for ranges in ("", "bytes=0-99999", "bytes=0-9,20-29"):
            self.use(OpenFile(BLOB))
            self.file.fails_at = 0
            response = parse_response(self.ask(ranges).received())
            self.assertEqual(response.code, 503)
            self.assertEqual(response.error_code, "UNAVAILABLE")
            self.assertIsNone(response.header("content-range"))
            self.assertIsNone(response.header("etag"))
            self.assertEqual(response.header("content-type"), "application/json")

    def test_client_leaves_before_it_begins(self) -> None:
        """If a client leaves before the first piece is read, the file is closed."""
        connection = self.connect(reads=False)
        connection.channel.dataReceived(write_request(PATH))
        self.assertEqual(self.file.tell(), 0)
        connection.leave()
        self.assertTrue(self.file.closed)


class MultipleRangeTests(StreamingTestCase):
    """Tests for several ranges in one response."""

    def test_parts(self) -> None:
        """Each range is a part with its ``Content-Range``."""
        response = parse_response(self.ask("bytes=0-9,500000-699999,-5").received())
        self.assertEqual(response.code, 206)
        self.assertEqual(
            response.parts(),
            [
                ("bytes 0-9/1048576", BLOB[:10]),
                ("bytes 500000-699999/1048576", BLOB[500_000:700_000]),
                ("bytes 1048571-1048575/1048576", BLOB[-5:]),
            ],
        )
        self.assertTrue(self.file.closed)

    def test_piece_ends_in_head(self) -> None:
        """If the head of a part fills a piece exactly, the file is still read in pieces."""
        for first in range(SMALL - 400, SMALL + 1, 7):
            self.use(OpenFile(BLOB))
            response = parse_response(self.ask(f"bytes=0-{first},70000-80000").received())
            self.assertEqual([body for _, body in response.parts()][1], BLOB[70000:80001])
            self.assertEqual(len(response.body), int(response.headers["content-length"]))
            self.assertLessEqual(self.file.largest_read, SMALL)

    def test_cut_short(self) -> None:
        """If a file is truncated between two parts, the connection is closed."""
        connection = self.ask("bytes=0-199999,500000-699999", reads=False)
        self.file.truncate(500_000)
        connection.reads = True
        connection.pump()
        self.assertTrue(BLOB[:100_000] in connection.received())
        self.assertTrue(connection.is_closed)
        self.assertTrue(self.file.closed)

    def test_slow_client(self) -> None:
        """If a client does not read, the next parts are not read."""
        connection = self.ask("bytes=0-399999,500000-899999", reads=False)
        self.assertLess(self.file.tell(), 3 * SMALL)
        connection.leave()
        self.assertTrue(self.file.closed)


class PipelineTests(StreamingTestCase):
    """Tests for pipelined requests."""

    def send_two(self) -> Connection:
        """Send two requests without reading; the store has a file for each."""
        self.second = OpenFile(BLOB)
        self.site = self.make_site(OneContentStore(self.file, len(BLOB), self.second))
        connection = self.connect(reads=False)
        connection.send(2 * write_request(PATH))
        return connection

    def test_both_arrive(self) -> None:
        """Both responses arrive in order, however the client reads."""
        for size in (1000, 65536, 70000, 1 << 20):
            self.use(OpenFile(BLOB))
            connection = self.send_two()
            received = b""
            while connection.transport.waiting:
                received += connection.transport.take(size)
                connection.pump()
            first = parse_response(received)
            self.assertEqual(first.body[: len(BLOB)], BLOB)
            second = parse_response(first.body[len(BLOB) :])
            self.assertEqual((second.code, second.body), (200, BLOB))

    def test_second_waits(self) -> None:
        """The second file is not read before the connection has room for it."""
        connection = self.send_two()
        while not self.file.closed:
            connection.transport.take(1 << 17)
            connection.pump()
        connection.pump()
        self.assertLess(len(connection.transport.waiting), 4 * SMALL)
        self.assertLess(self.second.tell(), 2 * SMALL)
