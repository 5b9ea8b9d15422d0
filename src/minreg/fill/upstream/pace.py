"""Connections whose server may neither dawdle nor go on for ever.

A socket's time limit holds for one look at it: a server that sends a byte now and then keeps
to it, and never ends. And ``http.client`` reads on as long as lines come that are no content:
interim responses, chunks' extensions, trailers.
"""

import io
import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_SLOWEST = 1000
"""Bytes per second that a server sends at least, on average over its time limit."""

_TOO_SLOW = f"less than {_SLOWEST} bytes a second came"
_TOO_LONG = "what comes beside the content does not end"

OWN_REASONS = frozenset({_TOO_SLOW, _TOO_LONG})
"""What errors of this module say; people may read it."""

_LONGEST_HEAD = 1024 * 1024
_MOST_BESIDE_CONTENT = 64 * 1024


class Pace(io.RawIOBase):
    """Reads a stream, and gives it up if it is too slow, or longer than is allowed.

    Args:
        stream: What is read.
        seconds: How much waiting is looked at together; None for as much as it takes.
        clock: The time in seconds.

    ``allowed`` is how many bytes may still come.
    """

    def __init__(
        self,
        stream: io.RawIOBase,
        seconds: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.allowed = _LONGEST_HEAD
        self._stream = stream
        self._seconds = seconds
        self._clock = clock
        self._waited = 0.0
        self._received = 0

    def readable(self) -> bool:
        """Say that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there.

        Raises:
            TimeoutError: What came since the last look was too little for the time.
            HTTPException: It is more than is allowed.
        """
        if self._seconds is not None and self._waited >= self._seconds:
            if self._received < self._seconds * _SLOWEST:
                raise TimeoutError(_TOO_SLOW)
            self._waited, self._received = 0.0, 0
        if self.allowed <= 0:
            raise HTTPException(_TOO_LONG)
        began = self._clock()
        count: int | None = self._stream.readinto(buffer)
        self._waited += self._clock() - began
        self._received += count or 0
        self.allowed -= count or 0
        return count

    def close(self) -> None:
        """Close the stream as well."""
        self._stream.close()
        super().close()


class PacedResponse(HTTPResponse):
    """A response that is read at a pace. Its time limit is the socket's."""

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._pace = Pace(self.fp.detach(), sock.gettimeout())
        self.fp = io.BufferedReader(self._pace)

    def read(self, amt: int | None = None) -> bytes:
        """Read so many bytes of the body."""
        self._pace.allowed = (amt or 0) + _MOST_BESIDE_CONTENT
        return super().read(amt)

    def read1(self, n: int = -1) -> bytes:
        """Read at most so many bytes of the body, without waiting for more."""
        self._pace.allowed = n + _MOST_BESIDE_CONTENT
        return super().read1(n)


class Connection(HTTPConnection):
    """A connection whose responses are read at a pace."""

    response_class = PacedResponse


class TlsConnection(HTTPSConnection):
    """The same, with TLS."""

    response_class = PacedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = TlsConnection


POOLS = {"http": _Pool, "https": _TlsPool}
"""What ``urllib3.PoolManager`` makes for each scheme."""
