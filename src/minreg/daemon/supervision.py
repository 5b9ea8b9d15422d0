"""Being looked after by systemd: it is told when we serve, reload and stop, and that we live."""

import time
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from minreg.daemon.notify import Notifier

STATUS_INTERVAL = 30.0
"""Seconds from one status line to the next, where no watchdog wants it sooner."""


class Supervision(Service):
    """Tells systemd how the daemon fares. Part of the daemon behind all that listens.

    A sign of life means that the reactor turns: requests are answered. A disk that does not
    answer is none of its business, for a restart would not mend it.

    Args:
        notifier: Tells it.
        clock: The reactor, which measures time and has to turn.
        describe: Says in a line what goes on, for ``systemctl status``.
        monotonic: Tells the time of CLOCK_MONOTONIC, in nanoseconds.
    """

    def __init__(
        self,
        notifier: Notifier,
        clock: IReactorTime,
        describe: Callable[[], str],
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._notifier = notifier
        self._describe = describe
        self._monotonic = monotonic
        self._signs = LoopingCall(self._live)
        self._signs.clock = clock
        self._clock = clock

    def startService(self) -> None:
        """Say that the daemon serves, as soon as the reactor turns."""
        super().startService()
        self._clock.callLater(0, self._begin)

    def stopService(self) -> None:
        """Say that the daemon ends."""
        super().stopService()
        if self._signs.running:
            self._signs.stop()
        self._notifier.tell(STOPPING=1, STATUS="stopping: transfers under way may finish")

    def reload(self, action: Callable[[], object]) -> None:
        """Do what a reload consists of, and say when it begins and ends."""
        self._notifier.tell(RELOADING=1, MONOTONIC_USEC=self._monotonic() // 1000)
        action()
        self._notifier.tell(READY=1, STATUS=self._describe())

    def _begin(self) -> None:
        if not self.running:
            return
        self._notifier.tell(READY=1, STATUS=self._describe())
        watchdog = self._notifier.watchdog
        interval = STATUS_INTERVAL if watchdog is None else min(watchdog / 2, STATUS_INTERVAL)
        self._signs.start(interval, now=False)

    def _live(self) -> None:
        if self._notifier.watchdog is None:
            self._notifier.tell(STATUS=self._describe())
        else:
            self._notifier.tell(WATCHDOG=1, STATUS=self._describe())
