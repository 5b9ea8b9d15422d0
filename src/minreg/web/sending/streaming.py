"""Sends bytes of a file as fast as the client takes them, and never fewer than promised.

One stretch of a file goes by ``sendfile`` where that can be; elsewhere, and for several stretches,
there are ``producers``. A node that only pulls never needs that module, nor the half megabyte that
it brings along: it is loaded when it is needed.
"""

from collections.abc import Sequence
from io import FileIO
from typing import BinaryIO

from minreg.web.disk import Disk
from minreg.web.request import RegistryRequest
from minreg.web.sending.ranges import ByteRange
from minreg.web.sending.sendfile import FileSender, can_send_files

SMALL = 64 * 1024
"""Bytes up to which content goes out in one piece."""


def stream_range(request: RegistryRequest, file: BinaryIO, part: ByteRange, disk: Disk) -> None:
    """Send one stretch of a file, and close it."""
    sender = _make_sender(request, file, part, disk)
    if sender is not None:
        sender.start()
        return
    from minreg.web.sending.producers import RangeProducer, Whole  # noqa: PLC0415 - see above

    RangeProducer(request, Whole(file), part.offset, part.size).start()


def stream_parts(
    request: RegistryRequest, file: BinaryIO, parts: Sequence[tuple[bytes, ByteRange]]
) -> None:
    """Send several stretches of a file, each behind some bytes of its own, and close it."""
    from minreg.web.sending.producers import MultipleRangeProducer, Whole  # noqa: PLC0415 - see above

    stretches = [(head, part.offset, part.size) for head, part in parts]
    MultipleRangeProducer(request, Whole(file), stretches).start()


def _make_sender(
    request: RegistryRequest, file: BinaryIO, part: ByteRange, disk: Disk
) -> FileSender | None:
    """Make what sends a file inside the kernel, if the connection and the limits allow it."""
    if not isinstance(file, FileIO) or not can_send_files(request.channel.transport):
        return None
    try:
        return FileSender(request, file, part, disk)
    except OSError:
        return None
