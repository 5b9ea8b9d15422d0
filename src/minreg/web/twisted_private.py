"""Access to private attributes of Twisted's HTTP server, which have no public equivalent.

Each use has a test in ``tests/test_web_twisted_private.py`` that fails when a new version of
Twisted changes the attribute.
"""

from typing import Any, Final

from twisted.internet.tcp import Connection
from twisted.python.logfile import LogFile
from twisted.web import http_headers
from twisted.web.http import HTTPChannel

MOST_HEADER_NAMES = 256
"""Names of header fields that Twisted remembers for the whole process.

Twisted's own limit is 10,000, of up to 16 KiB each: a client could fill hundreds of megabytes with
invented names. Requests and responses of real clients have some fifty.
"""

# Older versions of Twisted keep the names in ``Headers``.
_names: Final[Any] = getattr(http_headers, "_NameEncoder", http_headers.Headers)
_names._MAX_CACHED_HEADERS = MOST_HEADER_NAMES  # noqa: SLF001


def has_unsent(transport: Connection) -> bool:
    """Return whether a transport holds bytes that the kernel has not accepted yet."""
    return bool(transport.dataBuffer or transport._tempDataBuffer)  # noqa: SLF001


def log_descriptor(log: Any) -> int:
    """Return the file descriptor of a log.

    Args:
        log: A file, or one of Twisted's rotating log files, which has no ``fileno``.
    """
    file = log._file if isinstance(log, LogFile) else log  # noqa: SLF001
    descriptor: int = file.fileno()
    return descriptor


class TwistedChannel(HTTPChannel):
    """An HTTP/1.1 connection, with public names for private state of Twisted's channel."""

    @property
    def has_unparsed_input(self) -> bool:
        """Whether bytes have arrived that belong to no complete request yet."""
        return bool(self._buffer) or any(self._dataBuffer)

    @property
    def is_header_too_large(self) -> bool:
        """Whether the request being received exceeds Twisted's limits for headers."""
        return (
            self._receivedHeaderSize > self.totalHeadersSize
            or self._receivedHeaderCount > self.maxHeaders
        )

    def pause_reading(self) -> None:
        """Stop reading from the transport until the client accepts what it was sent."""
        self._networkProducer.pauseProducing()

    def refuse_malformed(self) -> None:
        """Answer input that is not HTTP, and close the connection. To be overridden."""
        raise NotImplementedError

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse_malformed()
