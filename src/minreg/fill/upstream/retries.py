"""Trying again what may work a little later, at a pace that spares the upstream."""

import random
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from minreg.fill.errors import ContentMismatch, FillError, Stopped, UpstreamUnavailable

Result = TypeVar("Result")

Tell = Callable[[int, int, FillError, float], None]

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 30.0
LONGEST_REQUESTED_WAIT = 600.0
"""Seconds. An upstream that wants to be left alone for longer has failed."""


class Retries:
    """How often, and how soon, to try again. For use from several threads.

    Args:
        count: How many times, after the first.
        stop: Set when all work is to end; waiting ends then too.
        wait: Waits some seconds, or until all work is to end, and tells which.
        jitter: Gives a number from 0 to 1, so that not all threads return at once.
        tell: Told of each failure after which there is another attempt: the number of that
            attempt, from 2, how many there are, the failure, and the seconds until then.
    """

    def __init__(
        self,
        count: int,
        stop: Event,
        wait: Callable[[float], bool] | None = None,
        jitter: Callable[[], float] = random.random,
        tell: Tell = lambda *_: None,
    ) -> None:
        self._count = count
        self._stop = stop
        self._wait = wait or stop.wait
        self._jitter = jitter
        self._tell = tell

    @property
    def attempts(self) -> int:
        """How often something is tried, if it never works."""
        return self._count + 1

    def run(
        self, attempt: Callable[[], Result], progress: Callable[[], int] = lambda: 0
    ) -> Result:
        """Call ``attempt`` until it works.

        Args:
            attempt: What is to work.
            progress: Tells how far all attempts have got. Those before one that got
                further do not count.

        Raises:
            UpstreamUnavailable, ContentMismatch: It failed so each time; the last one.
            Stopped: All work is to end.
        """
        failures = furthest = 0
        while True:
            self.check_stopped()
            try:
                return attempt()
            except (UpstreamUnavailable, ContentMismatch) as failure:
                self.check_stopped()
                if progress() > furthest:
                    failures, furthest = 0, progress()
                if failures == self._count or (pause := self._pause(failures, failure)) is None:
                    raise
                self._tell(failures + 2, self.attempts, failure, pause)
                if self._wait(pause):
                    raise Stopped("stopped while waiting to try again") from None
                failures += 1

    def check_stopped(self) -> None:
        """Go no further if all work is to end.

        Raises:
            Stopped: It is.
        """
        if self._stop.is_set():
            raise Stopped("stopped before it was complete")

    def _pause(self, number: int, failure: FillError) -> float | None:
        """Return how long to wait, in seconds, after so many failures before this one.

        None if the upstream wants to be left alone for too long.
        """
        requested = getattr(failure, "retry_after", None)
        if requested is not None:
            if requested > LONGEST_REQUESTED_WAIT:
                return None
            return float(requested) + self._jitter()
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**number)
        return longest * (0.5 + self._jitter() / 2)
