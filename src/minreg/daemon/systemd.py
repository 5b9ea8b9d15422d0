"""Telling systemd how the daemon fares: the protocol of sd_notify(3), without libsystemd.

Each message is one datagram of ``NAME=value`` lines to the Unix socket that the environment
variable ``NOTIFY_SOCKET`` names. Where it names none, nothing is said.
"""

import os
import socket
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import partial

import attrs
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

_PATIENCE = 1.0
"""Seconds that a message may wait for systemd to take it; then it is dropped."""


@attrs.frozen
class Notifier:
    """Whom to tell, and how soon they expect to hear of us.

    ``send`` takes a message; ``watchdog`` is how many seconds may pass from one sign of life
    to the next, None if nobody waits for them.
    """

    send: Callable[[bytes], object]
    watchdog: float | None = None

    def tell(self, **assignments: object) -> None:
        """Say all of this at once, in the words of sd_notify(3): ``READY=1``."""
        lines = [f"{name}={value}" for name, value in assignments.items()]
        self.send("\n".join(lines).encode("utf-8", "backslashreplace"))


def find_notifier(environment: MutableMapping[str, str]) -> Notifier | None:
    """Find out whom to tell, and take it out of the environment, for it is not inherited.

    Args:
        environment: The process's own, as sd_notify(3) and sd_watchdog_enabled(3) read it.

    Returns:
        None where nobody wants to be told.
    """
    address = parse_address(environment.pop("NOTIFY_SOCKET", ""))
    watchdog = parse_watchdog(
        environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", ""), os.getpid()
    )
    if address is None:
        return None
    outlet = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    outlet.settimeout(_PATIENCE)
    return Notifier(partial(_send, outlet, address), watchdog)


def parse_address(text: str) -> str | None:
    """Read the address of a socket: a path, or ``@`` and an abstract name (unix(7))."""
    if len(text) < 2 or text[0] not in "/@":
        return None
    return f"\0{text[1:]}" if text[0] == "@" else text


def parse_watchdog(microseconds: str, expected: str, process: int) -> float | None:
    """Read how many seconds systemd waits for a sign of life of this process.

    Args:
        microseconds: ``WATCHDOG_USEC``.
        expected: ``WATCHDOG_PID``, the process that is meant; empty if it is any.
        process: The number of this process.
    """
    is_number = microseconds.isascii() and microseconds.isdigit()
    if not is_number or int(microseconds) == 0 or expected not in ("", str(process)):
        return None
    return int(microseconds) / 1e6


def _send(outlet: socket.socket, address: str, message: bytes) -> None:
    # A registry whose supervisor does not listen goes on serving.
    with suppress(OSError):
        outlet.sendto(message, address)


STATUS_INTERVAL = 30.0
"""Seconds from one status line to the next, where no watchdog wants it sooner."""


class Supervision(Service):
    """Tells systemd how the daemon fares. Part of the daemon behind all that listens.

    A sign of life means that the reactor turns: requests are answered. A disk that does not
    answer is none of its business, for a restart would not mend it.

    Args:
        notifier: Tells it.
        clock: The reactor, which measures time and has to turn.
        describe: Says in a line what goes on, for ``systemctl status``.
        monotonic: Tells the time of CLOCK_MONOTONIC, in nanoseconds.
    """

    def __init__(
        self,
        notifier: Notifier,
        clock: IReactorTime,
        describe: Callable[[], str],
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._notifier = notifier
        self._describe = describe
        self._monotonic = monotonic
        self._signs = LoopingCall(self._live)
        self._signs.clock = clock
        self._clock = clock

    def startService(self) -> None:
        """Say that the daemon serves, as soon as the reactor turns."""
        super().startService()
        self._clock.callLater(0, self._begin)

    def stopService(self) -> None:
        """Say that the daemon ends."""
        super().stopService()
        if self._signs.running:
            self._signs.stop()
        self._notifier.tell(STOPPING=1, STATUS="stopping: transfers under way may finish")

    def reload(self, action: Callable[[], object]) -> None:
        """Do what a reload consists of, and say when it begins and ends."""
        self._notifier.tell(RELOADING=1, MONOTONIC_USEC=self._monotonic() // 1000)
        action()
        self._notifier.tell(READY=1, STATUS=self._describe())

    def _begin(self) -> None:
        if not self.running:
            return
        self._notifier.tell(READY=1, STATUS=self._describe())
        watchdog = self._notifier.watchdog
        interval = STATUS_INTERVAL if watchdog is None else min(watchdog / 2, STATUS_INTERVAL)
        self._signs.start(interval, now=False)

    def _live(self) -> None:
        if self._notifier.watchdog is None:
            self._notifier.tell(STATUS=self._describe())
        else:
            self._notifier.tell(WATCHDOG=1, STATUS=self._describe())
