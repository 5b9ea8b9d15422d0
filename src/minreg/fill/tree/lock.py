"""One writer per tree at a time.

The lock is the kernel's (``flock``): it ends with the process that holds it, however that
ends. The file stays, and names the last holder for whoever is turned away.
"""

import errno
import fcntl
import os
from types import TracebackType
from typing import Self

from minreg.fill.failures import TreeLocked
from minreg.fill.tree.directories import Directory

_NAME = "lock"
_LONGEST_HOLDER = 4096


class TreeLock:
    """The right to write a tree, held between ``with`` and its end.

    Args:
        directory: Where the lock's file lies.
        root: The tree's root, for the message.
        command: What the holder does, such as ``minreg download``.
    """

    def __init__(self, directory: Directory, root: str, command: str) -> None:
        self._directory = directory
        self._root = root
        self._command = command
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            TreeLocked: Another process has it; the text says which.
            TreeNotWritable: Its file is none that may be written.
        """
        self._descriptor = self._directory.open_file(_NAME, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()} {self._command}\n".encode(), 0)
        except OSError as error:
            holder = os.pread(self._descriptor, _LONGEST_HOLDER, 0)
            os.close(self._descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise TreeLocked(self._describe(holder)) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def _describe(self, holder: bytes) -> str:
        process, _, command = holder.decode(errors="replace").strip().partition(" ")
        who = f"process {process} ({command})" if process else "another process"
        return f"{self._root} is being written by {who}: wait until that ends, or end it"
