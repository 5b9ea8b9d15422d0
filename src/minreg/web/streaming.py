"""Sends bytes of a file as fast as the client takes them, and never fewer than promised.

One stretch of a file goes by ``minreg.web.sendfile`` where that can be. Elsewhere, and for
several stretches, the producers of ``twisted.web.static`` do the work: they read a piece of
the file whenever the connection has room for it. What they lack is an end for files that are
cut short, or whose disk fails, while they are sent: padding, or waiting for bytes that never
come, would both be wrong, so the connection is closed.
"""

from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from typing import BinaryIO

from twisted.web.static import (
    MultipleRangeStaticProducer,
    SingleRangeStaticProducer,
    StaticProducer,
)

from minreg.web.disk import Disk
from minreg.web.ranges import ByteRange
from minreg.web.request import RegistryRequest
from minreg.web.sendfile import FileSender, can_send_files

SMALL = 64 * 1024
"""Bytes up to which content goes out in one piece."""


class CutShort(OSError):
    """The file ends before its content does."""


class _Whole:
    """A file that must not end early.

    Twisted asks for less than no byte where the head of a part has filled a piece.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.close = file.close

    def read(self, size: int) -> bytes:
        content = self._file.read(max(size, 0))
        if size > 0 and not content:
            raise CutShort("the file was cut short while it was sent")
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


class _RangeProducer(_BreaksOff, SingleRangeStaticProducer):
    """Sends one stretch of a file."""


class _MultipleRangeProducer(_BreaksOff, MultipleRangeStaticProducer):
    """Sends several stretches of a file, each with a head of its own."""


def stream_range(request: RegistryRequest, file: BinaryIO, part: ByteRange, disk: Disk) -> None:
    """Send one stretch of a file, and close it."""
    if isinstance(file, FileIO) and can_send_files(request.channel.transport):
        with suppress(OSError):
            FileSender(request, file, part, disk).start()
            return
    _RangeProducer(request, _Whole(file), part.offset, part.size).start()


def stream_parts(
    request: RegistryRequest, file: BinaryIO, parts: Sequence[tuple[bytes, ByteRange]]
) -> None:
    """Send several stretches of a file, each behind some bytes of its own, and close it."""
    stretches = [(head, part.offset, part.size) for head, part in parts]
    _MultipleRangeProducer(request, _Whole(file), stretches).start()
