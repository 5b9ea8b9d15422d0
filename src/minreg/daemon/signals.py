"""What the daemon does when it is sent a signal."""

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
    """Reloads at SIGHUP, and takes a second SIGTERM or SIGINT for haste.

    Twisted's own handlers stop the reactor once, and complain in a traceback when they are
    to stop it again.

    Args:
        when_running: Calls once the reactor has set up its own handlers.
        in_reactor: Calls when the reactor comes to it; safe within a signal handler.
        reload: Reads anew what can be.
        hurry: Ends a stop that takes time.
    """

    def __init__(
        self, when_running: Caller, in_reactor: Caller, reload: Call, force_stop: Call
    ) -> None:
        self._when_running = when_running
        self._in_reactor = in_reactor
        self._reload = reload
        self._hurry = force_stop
        self._is_told = False

    def startService(self) -> None:
        """Obey from now on."""
        super().startService()
        signal.signal(signal.SIGHUP, self._obey_hangup)
        self._when_running(self._take_over)

    def _take_over(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            first = signal.getsignal(number)
            # One that is ignored, as that of a job in the background, stays so.
            if callable(first):
                signal.signal(number, self._stop_once(first))

    def _stop_once(self, first: Handler) -> Handler:
        def obey(number: int, frame: FrameType | None) -> None:
            if self._is_told:
                self._in_reactor(self._hurry)
                return
            self._is_told = True
            first(number, frame)

        return obey

    def _obey_hangup(self, _number: int, _frame: FrameType | None) -> None:
        self._in_reactor(self._reload)


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
