"""A time until which something has to happen."""

from collections.abc import Callable
from typing import Any


class Deadline:
    """Calls a function unless it is cleared in time.

    Args:
        call_later: Calls a function after some seconds, as a reactor does.
        missed: What to call.
    """

    def __init__(self, call_later: Callable[..., Any], missed: Callable[[], None]) -> None:
        self._call_later = call_later
        self._missed = missed
        self._call: Any = None

    @property
    def is_set(self) -> bool:
        """Whether the time is running."""
        return self._call is not None and self._call.active()

    def set(self, seconds: float) -> None:
        """Let the time run from now on, whatever was set before."""
        if self.is_set:
            self._call.reset(seconds)
        else:
            self._call = self._call_later(seconds, self._missed)

    def clear(self) -> None:
        """Let the time run no more."""
        if self.is_set:
            self._call.cancel()
