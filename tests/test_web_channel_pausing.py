"""Tests for ``minreg.web.channel``: backpressure for requests."""

from minreg.oci.names import Digest
from tests.stores import ManualThreads, OneContentStore, OpenFile
from tests.support import Connection, WebTestCase, write_request

PING = write_request("/v2/")
BLOB = bytes(1 << 20)
BLOB_REQUEST = write_request(f"/v2/a/blobs/{Digest.of(BLOB)}")


class ReadingAheadTests(WebTestCase):
    """Tests for clients that send requests while they do not read responses."""

    def flood(self, connection: Connection) -> int:
        """Send as much as the registry accepts, up to 10 MB; return how much that was."""
        sent = 0
        while sent < 10_000_000 and connection.transport.is_reading:
            connection.send(bytes(10_000))
            sent += 10_000
        return sent

    def test_while_waiting_for_disk(self) -> None:
        """Data that arrives during a disk access is buffered up to a limit; then reading stops."""
        self.site = self.make_site(OneContentStore(OpenFile(b"x"), 1), in_thread=ManualThreads())
        connection = self.connect()
        connection.send(BLOB_REQUEST)
        self.assertLess(self.flood(connection), 100_000)

    def test_while_not_reading(self) -> None:
        """A client that accepts nothing cannot fill the memory with requests."""
        self.site = self.make_site(OneContentStore(OpenFile(BLOB), len(BLOB)))
        connection = self.connect(reads=False)
        connection.send(BLOB_REQUEST)
        self.assertLess(self.flood(connection), 100_000)

    def test_read_on(self) -> None:
        """Once a response is accepted, the requests that arrived meanwhile are answered too."""
        self.site = self.make_site(OneContentStore(OpenFile(BLOB), len(BLOB)))
        connection = self.connect(reads=False)
        connection.send(BLOB_REQUEST)
        connection.send(PING * 1000)
        self.assertFalse(connection.transport.is_reading)
        connection.reads = True
        connection.pump()
        self.assertEqual(connection.received().count(b"HTTP/1.1 200 OK"), 1001)
        self.assertTrue(connection.transport.is_reading)

    def test_answers_pile_up(self) -> None:
        """No data is read from a client that sends requests and accepts no responses."""
        connection = self.connect(reads=False)
        sent = 0
        while connection.transport.is_reading and sent < 100:
            connection.send(PING * 100)
            sent += 1
        self.assertLess(sent, 10)
        connection.reads = True
        connection.pump()
        self.assertEqual(connection.received().count(b"HTTP/1.1 200 OK"), 100 * sent)
