"""Retries with exponential backoff and jitter."""

import random
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from minreg.fill.errors import ContentMismatch, FillError, Stopped, UpstreamUnavailable

Result = TypeVar("Result")

_INITIAL_DELAY = 1.0
_MAX_DELAY = 30.0
MAX_RETRY_AFTER = 600.0
"""Seconds. An upstream whose ``Retry-After`` is longer has failed."""

Notify = Callable[[int, int, FillError, float], None]
"""Arguments: number of the next attempt, number of all, failure of the last, delay in seconds."""


class Retries:
    """A policy of retries, for use from several threads.

    Args:
        count: The number of attempts after the first one.
        stop: Set to stop all work; a delay ends then too.
        wait: Waits for some seconds, or until ``stop`` is set, and returns whether it is.
        jitter: Returns a random number from 0 to 1, so that threads do not retry all at once.
        notify: Called before each delay. Its arguments are the number of the next attempt, from
            2; the number of all attempts; the failure; and the delay in seconds.
    """

    def __init__(
        self,
        count: int,
        stop: Event,
        wait: Callable[[float], bool] | None = None,
        jitter: Callable[[], float] = random.random,
        notify: Notify = lambda *_: None,
    ) -> None:
        self._count = count
        self._stop = stop
        self._wait = wait or stop.wait
        self._jitter = jitter
        self._notify = notify

    @property
    def attempts(self) -> int:
        """The number of attempts, the first one included."""
        return self._count + 1

    def run(
        self, attempt: Callable[[], Result], progress: Callable[[], int] = lambda: 0
    ) -> Result:
        """Call ``attempt`` until it succeeds, and return its result.

        Args:
            attempt: The function to call.
            progress: Returns how far the attempts got. Failures before one that got further
                than all others are not counted.

        Raises:
            UpstreamUnavailable, ContentMismatch: The last of too many failures.
            Stopped: The work was stopped.
        """
        failures = max_progress = 0
        while True:
            self.check_stopped()
            try:
                return attempt()
            except (UpstreamUnavailable, ContentMismatch) as failure:
                self.check_stopped()
                if progress() > max_progress:
                    failures, max_progress = 0, progress()
                if failures == self._count:
                    raise
                delay = self._delay(failures, failure)
                if delay is None:
                    raise
                self._notify(failures + 2, self.attempts, failure, delay)
                if self._wait(delay):
                    raise Stopped("stopped while waiting to retry") from None
                failures += 1

    def check_stopped(self) -> None:
        """Raise Stopped if the work was stopped."""
        if self._stop.is_set():
            raise Stopped("stopped before it was complete")

    def _delay(self, failures: int, failure: FillError) -> float | None:
        """Return the delay in seconds; None if the upstream asks for a longer one than allowed.

        ``failures`` is the number of failures before this one.
        """
        requested = getattr(failure, "retry_after", None)
        if requested is not None:
            if requested > MAX_RETRY_AFTER:
                return None
            return float(requested) + self._jitter()
        delay = min(_MAX_DELAY, _INITIAL_DELAY * 2.0**failures)
        return delay * (0.5 + self._jitter() / 2)
