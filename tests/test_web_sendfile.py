"""Tests for ``minreg.web.transfer.sendfile``: sending with ``sendfile(2)``."""

import errno
import os
import socket
from collections.abc import Callable
from io import FileIO
from typing import BinaryIO

from twisted.internet.defer import execute
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from minreg.oci.names import Digest
from minreg.web import disk
from minreg.web.channel import RegistryChannel
from minreg.web.disk import ThreadRunner
from minreg.web.transfer import sendfile
from minreg.web.transfer.sendfile import FileSender, can_send_files
from tests.stores import ManualThreads, OneContentStore
from tests.support import WebTestCase, write_request
from tests.transports import CLIENT, KernelTransport

CONTENT = bytes(range(256)) * 1024
REQUEST = write_request(f"/v2/a/blobs/{Digest.of(CONTENT)}")


class SendfileTestCase(WebTestCase):
    """A blob of 256 KiB, and a connection that can use ``sendfile``."""

    def setUp(self) -> None:
        """Write the blob, and open the file that replaces the socket."""
        super().setUp()
        self.path = os.path.abspath(self.mktemp())
        with open(self.path, "wb") as file:
            file.write(CONTENT)
        self.file = FileIO(self.path)
        self.addCleanup(self.file.close)
        self.output = self.mktemp()
        self.descriptor = os.open(self.output, os.O_CREAT | os.O_RDWR)
        self.addCleanup(os.close, self.descriptor)
        self.set_cached(lambda _file, _offset, size: size)

    def set_cached(self, cached_size: Callable[[BinaryIO, int, int], int]) -> None:
        """Set what is in the page cache."""
        self.patch(sendfile, "cached_size", cached_size)
        self.patch(disk, "cached_size", cached_size)

    def set_error(self, *errors: OSError) -> None:
        """Make the next calls of ``sendfile`` fail, each with one of these errors."""
        real, left = os.sendfile, list(errors)

        def failing(out: int, source: int, offset: int, size: int) -> int:
            if left:
                raise left.pop(0)
            return real(out, source, offset, size)

        self.patch(os, "sendfile", failing)

    def ask(self, in_thread: ThreadRunner = execute) -> None:
        """Request the blob, and run the registry until it waits for the socket."""
        self.site = self.make_site(OneContentStore(self.file, len(CONTENT)), in_thread=in_thread)
        channel = self.site.buildProtocol(CLIENT)
        assert isinstance(channel, RegistryChannel)
        self.transport = KernelTransport(channel, self.clock, self.descriptor)
        self.writers = self.transport.reactor.writers
        channel.makeConnection(self.transport)
        channel.dataReceived(REQUEST)
        self.clock.advance(0)

    @property
    def sender(self) -> FileSender:
        """The writer that waits for the socket to become writable."""
        (sender,) = self.writers
        assert isinstance(sender, FileSender)
        return sender

    def send(self) -> None:
        """Make the socket writable until everything is sent."""
        while self.writers:
            self.sender.doWrite()

    def sent(self) -> bytes:
        """Return what was sent with ``sendfile``."""
        with open(self.output, "rb") as file:
            return file.read()

    def assert_aborted(self, failure: str) -> None:
        """Check that the connection ends, that the log has a reason, and that no file is open."""
        self.clock.advance(0)
        self.transport.take(1 << 20)
        self.assertFalse(self.transport.connected)
        self.assertTrue(self.file.closed)
        self.assertEqual(self.writers, [])
        self.assertIn(failure, self.logged("request")[0]["failure"])


class FileSenderTests(SendfileTestCase):
    """Tests for ``FileSender``."""

    def test_sent(self) -> None:
        """The transport sends the head, and ``sendfile`` the body; the request is logged."""
        self.ask()
        head = bytes(self.transport.waiting)
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(head.endswith(b"\r\n\r\n"))
        self.assertEqual(self.sender.logPrefix(), "minreg")
        self.assertNotEqual(self.sender.fileno(), self.descriptor)
        self.send()
        self.assertEqual(self.sent(), CONTENT)
        self.assertTrue(self.file.closed)
        (event,) = self.logged("request")
        self.assertEqual((event["bytes"], event["failure"]), (len(CONTENT), ""))

    def test_pieces(self) -> None:
        """A large file is sent in pieces, and other connections are served between them."""
        self.patch(sendfile, "_MOST_AT_ONCE", 100_000)
        self.ask()
        self.sender.doWrite()
        self.assertEqual(self.sent(), CONTENT[:100_000])
        self.send()
        self.assertEqual(self.sent(), CONTENT)

    def test_corked(self) -> None:
        """The socket is corked while it sends, so that the head shares a packet with the body."""
        self.ask()
        self.send()
        corks = [(socket.TCP_CORK, True), (socket.TCP_CORK, False)]
        self.assertEqual(self.transport.socket.options, corks)

    def test_head_first(self) -> None:
        """The body is sent after the transport has sent its buffer."""
        self.ask()
        self.transport.dataBuffer = b"head"
        self.sender.doWrite()
        self.assertEqual(self.sent(), b"")

    def test_not_cached(self) -> None:
        """A part that is not cached is read in a thread first; the reactor does not wait."""
        self.ask()
        threads = ManualThreads()
        self.site = self.make_site(OneContentStore(self.file, len(CONTENT)), in_thread=threads)
        self.set_cached(lambda _file, _offset, _size: 0)
        self.writers.clear()
        self.ask(threads)
        while not self.writers:
            threads.run()
        self.sender.doWrite()
        self.assertEqual((self.writers, self.sent()), ([], b""))
        threads.run()
        self.send()
        self.assertEqual(self.sent(), CONTENT)

    def test_no_room(self) -> None:
        """If the socket is full, sending continues when it is writable."""
        self.set_error(BlockingIOError())
        self.ask()
        self.sender.doWrite()
        self.assertEqual(self.sent(), b"")
        self.send()
        self.assertEqual(self.sent(), CONTENT)

    def test_paused(self) -> None:
        """A paused sender does not wait for the socket; a resumed one does."""
        self.ask()
        sender, channel = self.sender, self.transport.protocol
        assert isinstance(channel, RegistryChannel)
        channel.pauseProducing()
        self.assertEqual(self.writers, [])
        channel.expect_progress()
        channel.resumeProducing()
        self.assertEqual(self.writers, [sender])

    def test_stopped_while_reading(self) -> None:
        """If the client leaves while the disk is read, nothing is sent afterwards."""
        self.ask()
        threads = ManualThreads()
        self.set_cached(lambda _file, _offset, _size: 0)
        self.ask(threads)
        while not self.writers:
            threads.run()
        self.sender.doWrite()
        self.transport.lose(ConnectionLost())
        threads.run()
        self.assertEqual(self.writers, [])
        self.assertTrue(self.file.closed)

    def test_client_left(self) -> None:
        """If ``sendfile`` reports that the client has disconnected, the connection is aborted."""
        self.set_error(BrokenPipeError())
        self.ask()
        self.sender.doWrite()
        self.assert_aborted("the client left")

    def test_connection_lost(self) -> None:
        """If the reactor reports a lost connection, the connection is aborted."""
        self.ask()
        self.sender.connectionLost(Failure(ConnectionLost()))
        self.assert_aborted("the client left")

    def test_disk_fails(self) -> None:
        """If the disk fails, the connection is closed before the body is complete."""
        self.set_error(OSError(errno.EIO, "Input/output error"))
        self.ask()
        self.sender.doWrite()
        self.assert_aborted("Input/output error")

    def test_truncated(self) -> None:
        """If the file is truncated, the connection is closed before the body is complete."""
        self.ask()
        os.truncate(self.path, 0)
        self.sender.doWrite()
        self.assert_aborted("the file was truncated while it was sent")

    def test_too_many_files(self) -> None:
        """If no file can be opened for reading ahead, the connection is closed."""
        self.ask()
        self.set_cached(lambda _file, _offset, _size: 0)
        self.patch(os, "dup", self.refuse_dup)
        self.sender.doWrite()
        self.assert_aborted("Too many open files")

    def refuse_dup(self, _descriptor: int) -> int:
        """Raise the error for too many open files."""
        raise OSError(errno.EMFILE, "Too many open files")


class FallbackTests(SendfileTestCase):
    """Tests for when ``sendfile`` is not used."""

    def test_too_many_files(self) -> None:
        """At the limit of open files, the file is read and written in pieces."""
        self.patch(os, "dup", FileSenderTests.refuse_dup.__get__(self))
        self.ask()
        received = b""
        while self.transport.waiting:
            received += self.transport.take(1 << 16)
            self.clock.advance(0)
        self.assertTrue(received.endswith(CONTENT))
        self.assertEqual(self.sent(), b"")

    def test_can_send_files(self) -> None:
        """TLS and Unix sockets do not use ``sendfile``."""
        self.ask()
        self.assertTrue(can_send_files(self.transport))
        self.transport.socket.family = socket.AF_UNIX
        self.assertFalse(can_send_files(self.transport))
        self.transport.socket.family = socket.AF_INET6
        self.assertTrue(can_send_files(self.transport))
        self.transport.TLS = True
        self.assertFalse(can_send_files(self.transport))
        self.assertFalse(can_send_files(object()))


class PageCacheTests(SendfileTestCase):
    """Tests for files that are read into memory before the response begins."""

    def test_read_first(self) -> None:
        """Nothing is sent before the beginning of the file is cached."""
        threads = ManualThreads()
        self.set_cached(lambda _file, _offset, _size: 0)
        self.ask(threads)
        threads.run()
        self.assertEqual(threads.names(), ["read_into_cache"])
        self.assertEqual(bytes(self.transport.waiting), b"")
        threads.run()
        self.clock.advance(0)
        self.assertIn(b"200 OK", bytes(self.transport.waiting))

    def test_too_many_files(self) -> None:
        """At the limit of open files, the client gets a 503, which it can retry."""
        self.set_cached(lambda _file, _offset, _size: 0)
        self.patch(os, "dup", FileSenderTests.refuse_dup.__get__(self))
        self.ask()
        self.assertIn(b"503 Service Unavailable", bytes(self.transport.waiting))
        self.assertTrue(self.file.closed)
