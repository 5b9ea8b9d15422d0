"""Lines of the log that come in one turn of the reactor go out together.

A system call for each line is a sixth of all that a repeated lookup costs. Nobody can tell a
line that was written at once from one that was written before the reactor waits again; only
what kills the process at once (SIGKILL, no power) can take the lines of one turn with it.
"""

from typing import Any, TextIO

_MOST = 4096
"""Bytes that a pipe takes as one, whoever else writes to it (PIPE_BUF, pipe(7))."""


class BufferedLog:
    """A stream that writes through before the reactor waits, and at once if it does not run.

    Args:
        stream: Where the lines go.
        reactor: Whose turns count.
    """

    def __init__(self, stream: TextIO, reactor: Any) -> None:
        self._stream = stream
        self._reactor = reactor
        self._lines: list[str] = []
        self._size = 0
        self._is_due = False
        reactor.addSystemEventTrigger("after", "shutdown", self._write_through)

    def write(self, line: str) -> None:
        """Take a line."""
        size = len(line) if line.isascii() else len(line.encode())
        if self._size + size > _MOST:
            self._write_through()
        self._lines.append(line)
        self._size += size

    def flush(self) -> None:
        """See to it that all lines are written in this turn."""
        if not self._reactor.running:
            self._write_through()
        elif not self._is_due:
            self._is_due = True
            self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._is_due = False
        self._write_through()

    def _write_through(self) -> None:
        lines, self._lines, self._size = self._lines, [], 0
        self._stream.write("".join(lines))
        self._stream.flush()
