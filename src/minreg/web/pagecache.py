"""Whether a stretch of a file is in memory, and how it gets there without anyone waiting.

``sendfile`` and ``read`` wait for the disk when the kernel does not hold what they are to
send, and in the reactor's thread everybody would wait with them: an SD card brings 40 MB/s,
a failing disk nothing for minutes. So the reactor asks first: ``preadv`` with RWF_NOWAIT
fails instead of waiting (preadv2(2)). Two bytes tell for a piece, its first and its last,
for the kernel reads and forgets in long stretches. What is not there is read in a thread
before it is sent. Where the file system cannot tell (FUSE, NFS), nothing counts as there.
"""

import os
from contextlib import suppress
from io import FileIO
from typing import BinaryIO

PIECE = 2 * 1024 * 1024
"""Bytes that are looked for, read, and sent at once."""

_READ_SIZE = 128 * 1024


def is_cached(file: BinaryIO, offset: int, size: int) -> bool:
    """Tell whether a stretch of a file can be read without waiting for a disk."""
    if not isinstance(file, FileIO) or size <= 0:
        return True
    byte = bytearray(1)
    try:
        for place in (offset, offset + size - 1):
            os.preadv(file.fileno(), (byte,), place, os.RWF_NOWAIT)
    except OSError:
        return False
    return True


def read_into_cache(descriptor: int, offset: int, size: int) -> None:
    """Read a stretch of a file, have the disk begin with the next one, and close the file.

    An error is for whoever sends the stretch, and meets it again.
    """
    buffer = bytearray(_READ_SIZE)
    try:
        with suppress(OSError):
            for place in range(offset, offset + size, _READ_SIZE):
                os.preadv(descriptor, (buffer,), place)
            os.posix_fadvise(descriptor, offset + size, PIECE, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)
