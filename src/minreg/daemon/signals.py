"""Handling signals: SIGHUP reloads, a second SIGTERM or SIGINT stops at once."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, TextIO

from twisted.application.service import Service
from twisted.logger import Logger
from twisted.python.logfile import LogFile

Handler = Callable[[int, FrameType | None], Any]


Call = Callable[[], object]
Caller = Callable[[Call], object]


class Signals(Service):
    """Reloads at SIGHUP, and stops at once at a second SIGTERM or SIGINT.

    Twisted's own handlers stop the reactor the first time, and log a traceback the second time.

    Args:
        when_running: Calls a function when the reactor has installed its own handlers.
        in_reactor: Calls a function in the reactor; safe in a signal handler.
        reload: Reloads the daemon.
        force_stop: Ends a stop that waits for transfers.
    """

    def __init__(
        self, when_running: Caller, in_reactor: Caller, reload: Call, force_stop: Call
    ) -> None:
        self._when_running = when_running
        self._in_reactor = in_reactor
        self._reload = reload
        self._force_stop = force_stop
        self._is_stopping = False

    def startService(self) -> None:
        """Install the handlers."""
        super().startService()
        signal.signal(signal.SIGHUP, self._handle_hangup)
        self._when_running(self._take_over)

    def begin_stop(self) -> bool:
        """Record that the process is told to stop; return whether it was told that before."""
        is_stopping, self._is_stopping = self._is_stopping, True
        return is_stopping

    def _take_over(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            first = signal.getsignal(number)
            # A signal that is ignored stays ignored: a shell does that for background jobs.
            if callable(first):
                signal.signal(number, self._stop_once(first))

    def _stop_once(self, first: Handler) -> Handler:
        def handle(number: int, frame: FrameType | None) -> None:
            if self.begin_stop():
                self._in_reactor(self._force_stop)
            else:
                first(number, frame)

        return handle

    def _handle_hangup(self, _number: int, _frame: FrameType | None) -> None:
        self._in_reactor(self._reload)


class Reloader:
    """Reopens the log file, after it was renamed by logrotate.

    Nothing else needs a reload: options do not change, and the tree is read at each request.

    Args:
        log_file: The stream that the log is written to.
        tell_others: Makes the workers reopen it too.
    """

    _log = Logger()

    def __init__(
        self, log_file: TextIO | LogFile, tell_others: Callable[[], object] | None = None
    ) -> None:
        self._log_file = log_file
        self._tell_others = tell_others

    def reload(self) -> None:
        """Reopen the log file, and log that."""
        if isinstance(self._log_file, LogFile):
            self._log_file.reopen()
            if self._tell_others is not None:
                self._tell_others()
        self._log.info("reloaded: the log file was reopened", event="reload")
