"""Waiting for a disk without making anyone else wait.

Whatever may touch a disk runs in a thread. A disk that does not answer costs the requests
that need it an error after a few seconds; all others go on.
"""

from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from minreg.interfaces import StoreUnavailable

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_MOST_WAITING = 1024


InThread = Callable[..., Deferred[Any]]
"""Runs a function with its arguments elsewhere, as ``deferToThreadPool`` does in a pool."""


class Disk:
    """Runs looks at a disk, each with only so much patience.

    Args:
        clock: Measures the patience.
        in_thread: Runs a function in a thread.
        patience: Seconds after which a look is given up.
    """

    def __init__(self, clock: IReactorTime, in_thread: InThread, patience: float = 2.0) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._patience = patience
        self._waiting = 0

    def run(
        self,
        look: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Deferred[Result]:
        """Promise what ``look`` returns.

        If nobody waits for it any more when it comes, and it can be closed, it is.
        The promise fails with ``StoreUnavailable`` when the patience ends, or at once
        when too many looks wait already.
        """
        answer: Deferred[Result] = Deferred()
        if self._waiting >= _MOST_WAITING:
            answer.errback(StoreUnavailable("the disk has not answered many requests before"))
            return answer
        self._waiting += 1

        def arrive(result: Result | Failure) -> None:
            self._waiting -= 1
            if not answer.called:
                answer.callback(result)
            elif close := getattr(result, "close", None):
                close()

        self._in_thread(look, *args, **kwargs).addBoth(arrive)
        return answer.addTimeout(self._patience, self._clock, self._give_up)

    def _give_up(self, _result: object, seconds: float) -> NoReturn:
        raise StoreUnavailable(
            f"the disk has not answered for {seconds:g} seconds: see whether it is failing"
        )
