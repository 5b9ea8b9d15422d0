"""Producers that read a file, piece by piece, whenever the connection has room for more.

Those of ``twisted.web.static`` do the work. What they lack is an end for files that are cut
short, or whose disk fails, while they are sent: padding, or waiting for bytes that never come,
would both be wrong, so the connection is closed.
"""

from typing import BinaryIO

from twisted.web.static import (
    MultipleRangeStaticProducer,
    SingleRangeStaticProducer,
    StaticProducer,
)

from minreg.web.request import RegistryRequest


class FileTruncated(OSError):
    """The file ends before its content does."""


class CheckedFile:
    """A file that must not end early.

    Twisted asks for less than no byte where the head of a part has filled a piece.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.close = file.close

    def read(self, size: int) -> bytes:
        """Read some bytes, at least one if any are wanted."""
        content = self._file.read(max(size, 0))
        if size > 0 and not content:
            raise FileTruncated("the file was cut short while it was sent")
        return content


class _BreaksOff(StaticProducer):
    """Ends the connection when the file can no longer be read."""

    request: RegistryRequest  # None once this has stopped; then nothing is read any more

    def resumeProducing(self) -> None:
        try:
            super().resumeProducing()
        except OSError as error:
            self.request.break_off(str(error))
            self.stopProducing()


class RangeProducer(_BreaksOff, SingleRangeStaticProducer):
    """Sends one stretch of a file."""


class MultipleRangeProducer(_BreaksOff, MultipleRangeStaticProducer):
    """Sends several stretches of a file, each with a head of its own."""
