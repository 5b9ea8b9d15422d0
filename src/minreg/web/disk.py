"""Whether a stretch of a file is in memory, and how it gets there without anyone waiting.

``sendfile`` and ``read`` wait for the disk when the kernel does not hold what they are to
send, and in the reactor's thread everybody would wait with them: an SD card brings 40 MB/s,
a failing disk nothing for minutes. So the reactor asks first: ``preadv`` with RWF_NOWAIT
fails instead of waiting (preadv2(2)). A byte in a megabyte is asked for, for the kernel reads
and forgets in long stretches; where one is missing, a byte in half a megabyte. What is not
there is read in a thread before it is sent. Where the file system cannot tell (FUSE, NFS),
nothing counts as there.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import FileIO
from itertools import islice
from typing import Any, BinaryIO, NoReturn, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from minreg.store.interfaces import StoreUnavailable

AT_ONCE = 512 * 1024
"""Bytes that are read before they are sent, if they must be. Many clients may be waiting for
the same disk: the first bytes of each answer have to come within the disk's patience."""


_STRIDE = 1024 * 1024
_READ_SIZE = 128 * 1024


def cached_size(file: BinaryIO, offset: int, size: int) -> int:
    """Tell how many of some bytes of a file can be read without waiting for a disk."""
    if not isinstance(file, FileIO) or size <= 0:
        return size
    done = _probe(file.fileno(), offset, size, _STRIDE)
    if done < size:
        done += _probe(file.fileno(), offset + done, min(size - done, _STRIDE), AT_ONCE)
    return done


def _probe(descriptor: int, offset: int, size: int, stride: int) -> int:
    # This is a fiftieth of what sending costs: nothing is made anew for each byte.
    byte = (bytearray(1),)
    done = 0
    try:
        os.preadv(descriptor, byte, offset, os.RWF_NOWAIT)
        for done in range(0, size, stride):
            last = offset + min(done + stride, size) - 1
            os.preadv(descriptor, byte, last, os.RWF_NOWAIT)
    except OSError:
        return done
    return size


def read_into_cache(descriptor: int, offset: int, size: int) -> None:
    """Read a stretch of a file, have the disk begin with the next one, and close the file.

    An error is for whoever sends the stretch, and meets it again.
    """
    buffer = bytearray(_READ_SIZE)
    try:
        with suppress(OSError):
            for place in range(offset, offset + size, _READ_SIZE):
                os.preadv(descriptor, (buffer,), place)
            os.posix_fadvise(descriptor, offset + size, AT_ONCE, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Item = TypeVar("Item")

_MOST_WAITING = 1024
_MOST_READERS = 4
_AT_A_TIME = 250


ThreadRunner = Callable[..., Deferred[Any]]
"""Runs a function with its arguments elsewhere, as ``deferToThreadPool`` does in a pool."""


class DiskIO:
    """Runs looks at a disk, each with only so much patience.

    Args:
        clock: Measures the patience.
        in_thread: Runs a function in a thread.
        patience: Seconds after which a look is given up.
    """

    def __init__(
        self, clock: IReactorTime, in_thread: ThreadRunner, patience: float = 2.0
    ) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._patience = patience
        self._waiting = 0
        self._readers: DeferredSemaphore = DeferredSemaphore(_MOST_READERS)

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
        return self._start(_nothing, look, *args, **kwargs)

    async def run_alone(
        self,
        turn: DeferredLock,
        look: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Return what ``look`` returns, as ``run`` does, if nothing else has the turn.

        The turn ends when the thread does, and not with the patience. Whoever has waited
        for it as long as that gets no thread.

        Raises:
            StoreUnavailable: The disk does not answer, or not to the one before.
        """
        await turn.acquire().addTimeout(self._patience, self._clock, self._give_up)
        return await self._start(turn.release, look, *args, **kwargs)

    def _start(
        self,
        end: Callable[[], object],
        look: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Deferred[Result]:
        """Promise what ``look`` returns, and call ``end`` when no thread is at it any more."""
        answer: Deferred[Result] = Deferred()
        if self._waiting >= _MOST_WAITING:
            end()
            answer.errback(StoreUnavailable("the disk has not answered many requests before"))
            return answer
        self._waiting += 1

        def arrive(result: Result | Failure) -> None:
            self._waiting -= 1
            end()
            if not answer.called:
                answer.callback(result)
            elif close := getattr(result, "close", None):
                close()

        self._in_thread(look, *args, **kwargs).addBoth(arrive)
        return answer.addTimeout(self._patience, self._clock, self._give_up)

    async def take(self, items: Iterator[Item], most: int) -> list[Item]:
        """Take up to ``most`` items of what is read from the disk as they are asked for.

        A few at a time, each time with the whole patience: a disk that has much to tell is
        not one that does not answer.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        taken: list[Item] = []
        while len(taken) < most:
            size = min(_AT_A_TIME, most - len(taken))
            few = await self.run(_take, items, size)
            taken += few
            if len(few) < size:
                break
        return taken

    def read_ahead(self, file: BinaryIO, offset: int, size: int) -> Deferred[None]:
        """Read a stretch of a file into memory; it may then be sent without waiting.

        However many wait for this, most threads are left to those who only look. The
        reading has a descriptor of its own: ``file`` may be closed at any time.

        Raises:
            OSError: There are too many open files.
        """
        descriptor = os.dup(file.fileno())
        return self._readers.run(self._in_thread, read_into_cache, descriptor, offset, size)

    async def make_ready(self, file: BinaryIO, offset: int, size: int) -> None:
        """Have the beginning of a stretch in memory before its answer begins.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        size = min(size, AT_ONCE)
        if cached_size(file, offset, size) < size:
            try:
                descriptor = os.dup(file.fileno())
            except OSError as error:
                raise StoreUnavailable(str(error)) from None
            await self.run(read_into_cache, descriptor, offset, size)

    def _give_up(self, _result: object, seconds: float) -> NoReturn:
        raise StoreUnavailable(
            f"the disk has not answered for {seconds:g} seconds: see whether it is failing"
        )


def _nothing() -> None:
    """Do nothing at the end of a look."""


def _take(items: Iterator[Item], most: int) -> list[Item]:
    return list(islice(items, most))
