"""Whether a stretch of a file is in memory, and how it gets there without anyone waiting.

``sendfile`` and ``read`` wait for the disk when the kernel does not hold what they are to
send, and in the reactor's thread everybody would wait with them: an SD card brings 40 MB/s,
a failing disk nothing for minutes. So the reactor asks first: ``preadv`` with RWF_NOWAIT
fails instead of waiting (preadv2(2)). A byte in a megabyte is asked for, for the kernel reads
and forgets in long stretches; where one is missing, a byte in half a megabyte. What is not
there is read in a thread before it is sent. Where the file system cannot tell (FUSE, NFS),
nothing counts as there.
"""

import os
from contextlib import suppress
from io import FileIO
from typing import BinaryIO

AT_ONCE = 512 * 1024
"""Bytes that are read before they are sent, if they must be. Many clients may be waiting for
the same disk: the first bytes of each answer have to come within the disk's patience."""


_STRIDE = 1024 * 1024
_READ_SIZE = 128 * 1024


def cached_size(file: BinaryIO, offset: int, size: int) -> int:
    """Tell how many of some bytes of a file can be read without waiting for a disk."""
    if not isinstance(file, FileIO) or size <= 0:
        return size
    done = _probe(file.fileno(), offset, size, _STRIDE)
    if done < size:
        done += _probe(file.fileno(), offset + done, min(size - done, _STRIDE), AT_ONCE)
    return done


def _probe(descriptor: int, offset: int, size: int, stride: int) -> int:
    # This is a fiftieth of what sending costs: nothing is made anew for each byte.
    byte = (bytearray(1),)
    done = 0
    try:
        os.preadv(descriptor, byte, offset, os.RWF_NOWAIT)
        for done in range(0, size, stride):
            last = offset + min(done + stride, size) - 1
            os.preadv(descriptor, byte, last, os.RWF_NOWAIT)
    except OSError:
        return done
    return size


def read_into_cache(descriptor: int, offset: int, size: int) -> None:
    """Read a stretch of a file, have the disk begin with the next one, and close the file.

    An error is for whoever sends the stretch, and meets it again.
    """
    buffer = bytearray(_READ_SIZE)
    try:
        with suppress(OSError):
            for place in range(offset, offset + size, _READ_SIZE):
                os.preadv(descriptor, (buffer,), place)
            os.posix_fadvise(descriptor, offset + size, AT_ONCE, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)
