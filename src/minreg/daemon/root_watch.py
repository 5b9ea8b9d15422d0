"""Waiting for a root that is not there yet, and saying so once."""

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from minreg.interfaces import StoreUnavailable

INTERVAL = 2.0
"""Seconds from one look at the root to the next."""


class RootWatch(Service):
    """Looks again and again whether there is something to serve, and logs when that changes.

    Args:
        look: Promises nothing, or fails with ``StoreUnavailable``.
        clock: Measures time.
    """

    _log = Logger()

    def __init__(self, look: Callable[[], Deferred[None]], clock: IReactorTime) -> None:
        self.problem = ""
        self._look = look
        self._looks = LoopingCall(self._look_again)
        self._looks.clock = clock

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._looks.start(INTERVAL)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        self._looks.stop()

    def _look_again(self) -> Deferred[None]:
        return self._look().addCallbacks(self._find, self._miss)

    def _find(self, _nothing: None) -> None:
        if self.problem:
            self.problem = ""
            self._log.info("the registry is there now, and served", event="found")

    def _miss(self, failure: Failure) -> None:
        failure.trap(StoreUnavailable)
        if not self.problem:
            self._log.warn(
                "waiting for the registry: {reason}", event="waiting", reason=str(failure.value)
            )
        self.problem = str(failure.value)
