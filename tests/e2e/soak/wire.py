"""A client that sends valid and invalid bytes, and reads responses as fast as it can."""

import re
import socket
import struct
from collections.abc import Callable, Sequence

import attrs

HOST = "127.0.0.1"
CONNECTIONS = 8
"""Connections that have one request each under way at the same time."""

BATCH = 25
"""Requests that are sent at once on one connection (RFC 9112, section 9.3.2)."""

BUSY = 503
_TIMEOUT = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_NO_LINGER = struct.pack("ii", 1, 0)

Make = Callable[[int], bytes]
"""Makes the bytes of the request that has a number."""


class WrongAnswer(AssertionError):
    """The daemon sent another response than expected, or none."""


@attrs.frozen
class Requests:
    """Requests on open connections: each alone, and several at once.

    A 503 is valid too: on a busy machine, a thread may need longer than the timeout.

    ``make`` returns each request; ``statuses`` are the valid ones; if ``is_pipelined``, several
    requests are sent at once.
    """

    make: Make
    statuses: frozenset[int]
    is_pipelined: bool = True

    def run(self, port: int, count: int, start: int) -> int:
        """Send ``count`` requests, the first one with the number ``start``.

        Returns:
            How many of them were answered by 503.
        """
        numbers = range(start, start + count)
        middle = len(numbers) // 2 if self.is_pipelined else len(numbers)
        return self._run_alone(port, numbers[:middle]) + self._run_pipelined(
            port, numbers[middle:]
        )

    def _run_alone(self, port: int, numbers: Sequence[int]) -> int:
        busy = 0
        readers = [Reader(connect(port)) for _ in range(CONNECTIONS)]
        for first in range(0, len(numbers), CONNECTIONS):
            turn = numbers[first : first + CONNECTIONS]
            sent = [(reader, self.make(n)) for reader, n in zip(readers, turn, strict=False)]
            for reader, request in sent:
                reader.client.sendall(request)
            for reader, request in sent:
                busy += self._is_busy(reader, request)
        for reader in readers:
            reader.client.close()
        return busy

    def _run_pipelined(self, port: int, numbers: Sequence[int]) -> int:
        busy = 0
        reader = Reader(connect(port))
        for first in range(0, len(numbers), BATCH):
            turn = numbers[first : first + BATCH]
            requests = [self.make(number) for number in turn]
            reader.client.sendall(b"".join(requests))
            for request in requests:
                busy += self._is_busy(reader, request)
        reader.client.close()
        return busy

    def _is_busy(self, reader: "Reader", request: bytes) -> bool:
        status = reader.read_status(is_head=request.startswith(b"HEAD "))
        if status != BUSY and status not in self.statuses:
            raise WrongAnswer(f"{status} to {request[:200]!r}")
        return status == BUSY


@attrs.frozen
class Refusals:
    """Bytes after which the daemon closes the connection.

    ``make`` returns what each connection sends; ``statuses`` are the valid ones, with 0 for a
    connection that is closed without a response; if ``ends``, the client closes its sending
    direction too.
    """

    make: Make
    statuses: frozenset[int]
    ends: bool = False

    def run(self, port: int, count: int, start: int) -> int:
        """Open ``count`` connections, one after the other; return 0."""
        for number in range(start, start + count):
            client = connect(port)
            content = self.make(number)
            send_as_far_as_taken(client, content)
            if self.ends:
                end_sending(client)
            status = read_to_end(client)
            reset(client)
            if status not in self.statuses:
                raise WrongAnswer(f"{status} to {content[:200]!r}")
        return 0


@attrs.frozen
class WriteBatcher:
    """Clients that disconnect before they have their response.

    ``make`` returns what each of them sends; ``reads`` is how many bytes it reads before it
    disconnects: by closing its connection or, every second one, by a reset.
    """

    make: Make
    reads: int = 0

    def run(self, port: int, count: int, start: int) -> int:
        """Open ``count`` connections, and disconnect each; return 0."""
        for number in range(start, start + count):
            if number % BATCH == 0:
                wait_for_turn(port)
            client = connect(port)
            send_as_far_as_taken(client, self.make(number))
            left = self.reads
            while left > 0:
                received = client.recv(left)
                if not received:
                    raise WrongAnswer("a body ended before its client left")
                left -= len(received)
            if number % 2:
                reset(client)
            else:
                client.close()
        return 0


class Reader:
    """Reads responses from a connection, and drops their bodies.

    Args:
        client: The connection.
    """

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self._received = b""
        self._dropped = bytearray(1 << 18)

    def read_status(self, *, is_head: bool = False) -> int:
        """Read a response, and return its status."""
        while True:
            head = self._read_head()
            status = int(head[9:12])
            if status >= 200:
                break
        length = _LENGTH.search(head)
        if length is not None and not is_head and status != 304:
            self._drop(int(length[1]))
        return status

    def _read_head(self) -> bytes:
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            received = self.client.recv(1 << 16)
            if not received:
                raise WrongAnswer(f"the connection was closed after {self._received[:200]!r}")
            self._received += received
        head, self._received = self._received[: end + 2], self._received[end + 4 :]
        return head

    def _drop(self, size: int) -> None:
        left = size - len(self._received)
        self._received = self._received[size:]
        while left > 0:
            # The kernel drops what it has, and copies nothing (tcp(7)).
            most = min(left, len(self._dropped))
            received = self.client.recv_into(self._dropped, most, socket.MSG_TRUNC)
            if not received:
                raise WrongAnswer("the connection was closed in the middle of a body")
            left -= received


def connect(port: int) -> socket.socket:
    """Open a connection to the daemon."""
    client = socket.create_connection((HOST, port), timeout=_TIMEOUT)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def wait_for_turn(port: int) -> None:
    """Wait until the daemon has processed what was sent before.

    Otherwise clients that disconnect at once are faster than the daemon, and thousands of their
    connections are open at the same time.
    """
    with connect(port) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: registry\r\n\r\n")
        Reader(client).read_status()


def send_as_far_as_taken(client: socket.socket, content: bytes) -> None:
    """Send bytes to a daemon that may refuse them, and close, before all are sent."""
    try:
        client.sendall(content)
    except ConnectionError:
        return


def end_sending(client: socket.socket) -> None:
    """Close the sending direction, and continue to read."""
    try:
        client.shutdown(socket.SHUT_WR)
    except OSError:
        return


def read_to_end(client: socket.socket) -> int:
    """Read until the daemon closes the connection; return the first status, or 0 if none."""
    received = bytearray()
    try:
        while content := client.recv(1 << 16):
            received += content
    except ConnectionError:
        pass
    except TimeoutError:
        raise WrongAnswer(f"the connection stays open after {bytes(received[:200])!r}") from None
    return int(received[9:12]) if received else 0


def reset(client: socket.socket) -> None:
    """Close a connection at once with a reset (socket(7))."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    client.close()
