"""A disk that does not respond, made with fanotify(7): opening a file on it blocks."""

import ctypes
import os
from unittest import SkipTest

_OPEN_PERMISSION = 0x0001_0000
_CLASS_CONTENT = 0x04
_MARK_ADD = 0x01
_AT_FDCWD = -100

_libc = ctypes.CDLL(None, use_errno=True)


class Stall:
    """A file that blocks whoever opens it, until ``end`` is called.

    Args:
        path: The file. Nothing in this process may open it meanwhile.
    """

    def __init__(self, path: str) -> None:
        self._group = _libc.fanotify_init(_CLASS_CONTENT, os.O_RDONLY | os.O_CLOEXEC)
        if self._group < 0:
            raise SkipTest(
                f"needs root: no disk can be stalled here: {os.strerror(ctypes.get_errno())}"
            )
        mask, place = ctypes.c_uint64(_OPEN_PERMISSION), os.fsencode(path)
        if _libc.fanotify_mark(self._group, _MARK_ADD, mask, _AT_FDCWD, place) < 0:
            raise SkipTest(f"{path} cannot be stalled: {os.strerror(ctypes.get_errno())}")

    def end(self) -> None:
        """Let all blocked processes continue."""
        if self._group >= 0:
            os.close(self._group)
            self._group = -1
