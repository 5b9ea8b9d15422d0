"""Producers that read a file in pieces, whenever the connection has room for more.

They are used where ``minreg.web.transfer.sendfile`` cannot be: on TLS and Unix sockets, and for
several ranges. ``twisted.web.static`` has the producers; they do not handle a file that is
truncated, or whose disk fails, while it is sent. Then the connection is closed, so that the client
cannot take the response for complete.

A module of its own, because it is loaded lazily: ``twisted.web.static`` imports much that a
daemon on plain TCP never needs.
"""

from typing import BinaryIO

from twisted.web.static import (
    MultipleRangeStaticProducer,
    SingleRangeStaticProducer,
    StaticProducer,
)

from minreg.web.request import RegistryRequest


class FileTruncated(OSError):
    """The file is shorter than its content should be."""


class CheckedFile:
    """A file whose end is an error.

    Args:
        file: The file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.close = file.close

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, and at least one if ``size`` is positive.

        Raises:
            FileTruncated: The file has no more bytes.
        """
        # Twisted passes a negative size if the header of a part has filled a piece.
        content = self._file.read(max(size, 0))
        if size > 0 and not content:
            raise FileTruncated("the file was truncated while it was sent")
        return content


class _AbortingProducer(StaticProducer):
    """Closes the connection if the file cannot be read."""

    request: RegistryRequest  # None after stopProducing, when nothing is read any more

    def resumeProducing(self) -> None:
        try:
            super().resumeProducing()
        except OSError as error:
            self.request.break_off(str(error))
            self.stopProducing()


class RangeProducer(_AbortingProducer, SingleRangeStaticProducer):
    """Sends one range of a file."""


class MultipleRangeProducer(_AbortingProducer, MultipleRangeStaticProducer):
    """Sends several ranges of a file, each after a header of its own."""
