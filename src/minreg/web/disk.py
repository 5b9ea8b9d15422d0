"""Reading from the disk without making other requests wait.

``sendfile`` and ``read`` wait for the disk if the bytes are not in the page cache. In the
reactor's thread that would stop every other connection as well: an SD card reads 40 MB/s, and a
failing disk may not answer for minutes. So the reactor first asks whether the bytes are cached:
``preadv`` with RWF_NOWAIT fails instead of waiting (preadv2(2)). What is not cached is read in a
thread before it is sent.

Only one byte in a megabyte is probed, because the kernel reads and evicts in long stretches;
where one of these is missing, one byte in half a megabyte. A file system that cannot tell (FUSE,
NFS) counts as not cached.
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

READ_AHEAD = 512 * 1024
"""Bytes that are read into the cache before they are sent. Many clients may wait for the same
disk, and the first bytes of each response have to arrive within the disk's timeout."""


_PROBE_STRIDE = 1024 * 1024
_READ_SIZE = 128 * 1024


def cached_size(file: BinaryIO, offset: int, size: int) -> int:
    """Return how many bytes of a file, from ``offset`` on, can be read without waiting.

    Args:
        file: The file. One that is in memory is always cached.
        offset: The position of the first byte.
        size: The number of bytes to probe.
    """
    if not isinstance(file, FileIO) or size <= 0:
        return size
    cached = _probe(file.fileno(), offset, size, _PROBE_STRIDE)
    if cached < size:
        rest = min(size - cached, _PROBE_STRIDE)
        cached += _probe(file.fileno(), offset + cached, rest, READ_AHEAD)
    return cached


def _probe(descriptor: int, offset: int, size: int, stride: int) -> int:
    # Probing costs a fiftieth of sending, as long as nothing is allocated for each byte.
    buffers = (bytearray(1),)
    cached = 0
    try:
        os.preadv(descriptor, buffers, offset, os.RWF_NOWAIT)
        for cached in range(0, size, stride):
            last = offset + min(cached + stride, size) - 1
            os.preadv(descriptor, buffers, last, os.RWF_NOWAIT)
    except OSError:
        return cached
    return size


def read_into_cache(descriptor: int, offset: int, size: int) -> None:
    """Read a part of a file into the page cache, start reading the next one, and close the file.

    A disk error is ignored: sending the part meets it again, and reports it.
    """
    buffer = bytearray(_READ_SIZE)
    try:
        with suppress(OSError):
            for position in range(offset, offset + size, _READ_SIZE):
                os.preadv(descriptor, (buffer,), position)
            os.posix_fadvise(descriptor, offset + size, READ_AHEAD, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Item = TypeVar("Item")

_MOST_PENDING = 1024
_MOST_READERS = 4
_BATCH_SIZE = 250


ThreadRunner = Callable[..., Deferred[Any]]
"""Calls a function with its arguments in a thread, as ``deferToThreadPool`` does in a pool."""


class DiskIO:
    """Runs functions that wait for the disk in threads, with a timeout.

    Args:
        clock: Measures the timeout.
        in_thread: Calls a function in a thread.
        timeout: Seconds after which a call fails.
    """

    def __init__(self, clock: IReactorTime, in_thread: ThreadRunner, timeout: float = 2.0) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._timeout = timeout
        self._pending = 0
        self._readers: DeferredSemaphore = DeferredSemaphore(_MOST_READERS)

    def run(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Deferred[Result]:
        """Call a function in a thread.

        If the result arrives after the timeout, or after the Deferred was cancelled, it is
        closed if it has a method ``close``.

        Returns:
            A Deferred with the result. It fails with ``StoreUnavailable`` after the timeout,
            or at once if too many calls are pending.
        """
        return self._start(_do_nothing, function, *args, **kwargs)

    async def run_alone(
        self,
        lock: DeferredLock,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Call a function in a thread, as ``run`` does, while holding a lock.

        The lock is released when the thread ends, and not at the timeout: there is never a
        second thread behind the lock. Waiting for the lock has the same timeout.

        Raises:
            StoreUnavailable: The call, or the one before it, did not end within the timeout.
        """
        await lock.acquire().addTimeout(self._timeout, self._clock, self._raise_timeout)
        return await self._start(lock.release, function, *args, **kwargs)

    def _start(
        self,
        ended: Callable[[], object],
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Deferred[Result]:
        """Call a function as ``run`` does, and ``ended`` when its thread has ended."""
        promise: Deferred[Result] = Deferred()
        if self._pending >= _MOST_PENDING:
            ended()
            promise.errback(StoreUnavailable("the disk has not answered many earlier requests"))
            return promise
        self._pending += 1

        def deliver(result: Result | Failure) -> None:
            self._pending -= 1
            ended()
            if not promise.called:
                promise.callback(result)
            elif close := getattr(result, "close", None):
                close()

        self._in_thread(function, *args, **kwargs).addBoth(deliver)
        return promise.addTimeout(self._timeout, self._clock, self._raise_timeout)

    async def fetch_batch(self, items: Iterator[Item], most: int) -> list[Item]:
        """Return up to ``most`` items of an iterator that waits for the disk.

        They are read in small groups, and the timeout is that of a group: a disk with much to
        read is not one that does not answer.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        batch: list[Item] = []
        while len(batch) < most:
            size = min(_BATCH_SIZE, most - len(batch))
            group = await self.run(_take, items, size)
            batch += group
            if len(group) < size:
                break
        return batch

    def read_ahead(self, file: BinaryIO, offset: int, size: int) -> Deferred[None]:
        """Read a part of a file into the page cache.

        Only some of the threads do this, so that others are free for short calls. The thread
        has a descriptor of its own: ``file`` may be closed at any time.

        Raises:
            OSError: There are too many open files.
        """
        descriptor = os.dup(file.fileno())
        return self._readers.run(self._in_thread, read_into_cache, descriptor, offset, size)

    async def make_ready(self, file: BinaryIO, offset: int, size: int) -> None:
        """Read the beginning of a part of a file into the page cache, if it is not there.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        size = min(size, READ_AHEAD)
        if cached_size(file, offset, size) < size:
            try:
                descriptor = os.dup(file.fileno())
            except OSError as error:
                raise StoreUnavailable(str(error)) from None
            await self.run(read_into_cache, descriptor, offset, size)

    def _raise_timeout(self, _result: object, seconds: float) -> NoReturn:
        raise StoreUnavailable(
            f"the disk has not answered for {seconds:g} seconds: check whether it is failing"
        )


def _do_nothing() -> None:
    """Do nothing when a thread has ended."""


def _take(items: Iterator[Item], most: int) -> list[Item]:
    return list(islice(items, most))
