"""Reading anew what can be read anew while the daemon runs."""

from typing import TextIO

from twisted.logger import Logger
from twisted.python.logfile import LogFile


class Reloader:
    """Opens the log file again, which others may have moved away.

    Nothing else needs it: options do not change, and the tree is read at each request.

    Args:
        log_file: What the log is written to.
    """

    _log = Logger()

    def __init__(self, log_file: TextIO | LogFile) -> None:
        self._log_file = log_file

    def reload(self) -> None:
        """Do it, and say so in the log that is open then."""
        if isinstance(self._log_file, LogFile):
            self._log_file.reopen()
        self._log.info("reloaded: the log file is opened anew", event="reload")
