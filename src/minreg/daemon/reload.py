"""Reading anew what can be read anew while the daemon runs."""

from collections.abc import Callable
from typing import TextIO

from twisted.logger import Logger
from twisted.python.logfile import LogFile


class Reloader:
    """Opens the log file again, which others may have moved away.

    Nothing else needs it: options do not change, and the tree is read at each request.

    Args:
        log_file: What the log is written to.
        tell_others: Has other processes do so, too.
    """

    _log = Logger()

    def __init__(
        self, log_file: TextIO | LogFile, tell_others: Callable[[], object] | None = None
    ) -> None:
        self._log_file = log_file
        self._tell_others = tell_others

    def reload(self) -> None:
        """Do it, and say so in the log that is open then."""
        if isinstance(self._log_file, LogFile):
            self._log_file.reopen()
            if self._tell_others is not None:
                self._tell_others()
        self._log.info("reloaded: the log file is opened anew", event="reload")
