"""Tests for the private names of Twisted that ``minreg.web.twisted_private`` relies on.

Each fails if a new version of Twisted renames or repurposes one of them.
"""

import os
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase
from twisted.web import http_headers
from twisted.web.http import HTTPChannel, Request, _GenericHTTPChannelProtocol
from twisted.web.http_headers import Headers
from zope.interface import implementer

from minreg.web.twisted_private import (
    MOST_HEADER_NAMES,
    TwistedChannel,
    has_unsent,
    log_descriptor,
)

HEAD = b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n"


@implementer(IPushProducer)
class Transport(StringTransport):
    """A transport in memory that counts how often reading is paused."""

    pauses = 0

    def pauseProducing(self) -> None:
        """Count a pause."""
        self.pauses += 1
        super().pauseProducing()


class Channel(TwistedChannel):
    """A channel that counts refusals."""

    refused = 0

    def refuse_malformed(self) -> None:
        """Count a refusal."""
        self.refused += 1


class PendingRequest(Request):
    """A request that is never answered."""

    def process(self) -> None:
        """Do nothing."""


class HasUnsentTests(SynchronousTestCase):
    """Tests for ``has_unsent``: ``dataBuffer`` and ``_tempDataBuffer`` of a transport."""

    def test_write(self) -> None:
        """What is written is unsent until ``doWrite`` has sent it."""

        class Descriptor(FileDescriptor):
            def writeSomeData(self, data: bytes) -> int:
                return min(len(data), 3)

        transport = Descriptor(MemoryReactorClock())
        transport.connected = True
        self.assertFalse(has_unsent(transport))  # type: ignore[arg-type]
        transport.write(b"12345")
        self.assertTrue(has_unsent(transport))  # type: ignore[arg-type]
        transport.doWrite()
        self.assertTrue(has_unsent(transport))  # type: ignore[arg-type]
        transport.doWrite()
        self.assertFalse(has_unsent(transport))  # type: ignore[arg-type]


class LogDescriptorTests(SynchronousTestCase):
    """Tests for ``log_descriptor``: ``_file`` of a log file."""

    def test_log_file(self) -> None:
        """The descriptor of a rotating log file is that of the file it writes to."""
        path = self.mktemp()
        log = LogFile.fromFullPath(path)
        self.addCleanup(log.close)
        self.assertTrue(os.path.samestat(os.fstat(log_descriptor(log)), os.stat(path)))

    def test_file(self) -> None:
        """The descriptor of another file is its own."""
        with open(os.devnull, "wb") as file:
            self.assertEqual(log_descriptor(file), file.fileno())


class TwistedChannelTests(SynchronousTestCase):
    """Tests for ``TwistedChannel``."""

    def setUp(self) -> None:
        """Connect a channel."""
        self.transport = Transport()
        self.channel = Channel()
        self.patch(self.channel, "callLater", MemoryReactorClock().callLater)
        self.channel.makeConnection(self.transport)

    def test_unparsed_line(self) -> None:
        """``_buffer`` holds the beginning of a line that has not ended."""
        self.assertFalse(self.channel.has_unparsed_input)
        self.channel.dataReceived(b"GET ")
        self.assertTrue(self.channel.has_unparsed_input)

    def test_unparsed_request(self) -> None:
        """``_dataBuffer`` holds what arrives while another request is answered."""
        self.channel.requestFactory = PendingRequest
        self.channel.dataReceived(HEAD + b"\r\n")
        self.assertFalse(self.channel.has_unparsed_input)
        self.channel.dataReceived(HEAD)
        self.assertTrue(self.channel.has_unparsed_input)

    def test_header_size(self) -> None:
        """``_receivedHeaderSize`` counts the bytes of a request's header."""
        self.channel.totalHeadersSize = 100
        self.channel.dataReceived(HEAD)
        self.assertFalse(self.channel.is_header_too_large)
        self.channel.dataReceived(b"X: " + b"x" * 100 + b"\r\n")
        self.assertTrue(self.channel.is_header_too_large)

    def test_header_count(self) -> None:
        """``_receivedHeaderCount`` counts the fields of a request's header."""
        self.channel.maxHeaders = 2
        self.channel.dataReceived(HEAD + b"A: 1\r\nB: 2\r\n")
        self.assertFalse(self.channel.is_header_too_large)
        self.channel.dataReceived(b"C: 3\r\nD: 4\r\n")
        self.assertTrue(self.channel.is_header_too_large)

    def test_pause_reading(self) -> None:
        """``_networkProducer`` is the transport, as long as it pushes what it reads."""
        self.channel.pause_reading()
        self.assertEqual(self.transport.pauses, 1)

    def test_refuse_malformed(self) -> None:
        """Twisted calls ``_respondToBadRequestAndDisconnect`` for a malformed request line."""
        self.channel.dataReceived(b"nonsense\r\n")
        self.assertEqual(self.channel.refused, 1)

    def test_to_be_overridden(self) -> None:
        """The base class does not implement ``refuse_malformed``."""
        self.assertRaises(NotImplementedError, TwistedChannel().refuse_malformed)

    def test_channel_is_bare(self) -> None:
        """A factory's ``protocol`` is used as it is, without Twisted's HTTP/2 wrapper."""
        self.assertFalse(issubclass(TwistedChannel, _GenericHTTPChannelProtocol))
        self.assertTrue(issubclass(TwistedChannel, HTTPChannel))


class HeaderNamesTests(SynchronousTestCase):
    """Tests for the header names that Twisted remembers."""

    def test_bounded(self) -> None:
        """Invented header names do not fill the memory; all names are still read."""
        headers = Headers()
        for number in range(2 * MOST_HEADER_NAMES):
            headers.addRawHeader(b"X-Invented-%d" % number, b"x")
        encoder: Any = getattr(http_headers, "_nameEncoder", Headers)
        self.assertLessEqual(len(encoder._canonicalHeaderCache), MOST_HEADER_NAMES)
        self.assertEqual(headers.getRawHeaders(b"x-invented-511"), [b"x"])
