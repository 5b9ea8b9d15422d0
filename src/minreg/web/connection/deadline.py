"""A time until which something has to happen."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """Calls a function unless it is cleared in time.

    Deadlines are set and cleared with every request, and hardly ever missed. So that is
    only noted; the reactor is asked for one call, which looks what was noted meanwhile.

    Args:
        clock: Measures the time.
        missed: What to call.
    """

    def __init__(self, clock: IReactorTime, missed: Callable[[], None]) -> None:
        self._clock = clock
        self._missed = missed
        self._until: float | None = None
        self._due = 0.0
        self._call: IDelayedCall | None = None

    @property
    def is_set(self) -> bool:
        """Whether the time is running."""
        return self._until is not None

    def set(self, seconds: float) -> None:
        """Let the time run from now on, whatever was set before."""
        self._until = self._clock.seconds() + seconds
        if self._call is None:
            self._expect(seconds)
        elif self._until < self._due:
            self._call.cancel()
            self._expect(seconds)

    def clear(self) -> None:
        """Let the time run no more."""
        self._until = None

    def end(self) -> None:
        """Clear it for good."""
        self._until = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _expect(self, seconds: float) -> None:
        self._call = self._clock.callLater(seconds, self._look)
        self._due = self._call.getTime()

    def _look(self) -> None:
        self._call = None
        if self._until is None:
            return
        if self._until > self._due:
            self._expect(max(0.0, self._until - self._clock.seconds()))
            return
        self._until = None
        self._missed()
