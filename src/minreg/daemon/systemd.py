"""Reporting the daemon's state to systemd: the protocol of sd_notify(3), without libsystemd.

Each message is a datagram of ``NAME=value`` lines to the Unix socket in the environment variable
``NOTIFY_SOCKET``. Without it, nothing is sent.
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

_SEND_TIMEOUT = 1.0
"""Seconds that sending a message may take; then the message is dropped."""


@attrs.frozen
class Notifier:
    """Sends messages to systemd.

    Attributes:
        send: Sends a message.
        watchdog: Seconds after which systemd restarts a service that has sent no ``WATCHDOG=1``;
            None if it does not.
    """

    send: Callable[[bytes], object]
    watchdog: float | None = None

    def tell(self, **assignments: object) -> None:
        """Send assignments such as ``READY=1`` in one message (sd_notify(3))."""
        lines = [f"{name}={value}" for name, value in assignments.items()]
        self.send("\n".join(lines).encode("utf-8", "backslashreplace"))


def find_notifier(environment: MutableMapping[str, str]) -> Notifier | None:
    """Return the notifier that the environment describes; None if it describes none.

    The variables are removed, so that child processes do not inherit them.

    Args:
        environment: The environment; see sd_notify(3) and sd_watchdog_enabled(3).
    """
    address = parse_address(environment.pop("NOTIFY_SOCKET", ""))
    watchdog = parse_watchdog(
        environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", ""), os.getpid()
    )
    if address is None:
        return None
    notify_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify_socket.settimeout(_SEND_TIMEOUT)
    return Notifier(partial(_send, notify_socket, address), watchdog)


def parse_address(text: str) -> str | None:
    """Parse the address of a socket: a path, or ``@`` and an abstract name (unix(7))."""
    if len(text) < 2 or text[0] not in "/@":
        return None
    return f"\0{text[1:]}" if text[0] == "@" else text


def parse_watchdog(microseconds: str, expected: str, process: int) -> float | None:
    """Return the watchdog's timeout in seconds; None if it is not enabled for this process.

    Args:
        microseconds: ``WATCHDOG_USEC``.
        expected: ``WATCHDOG_PID``, the PID that it is enabled for; empty for any.
        process: The PID of this process.
    """
    is_number = microseconds.isascii() and microseconds.isdigit()
    if not is_number or int(microseconds) == 0 or expected not in ("", str(process)):
        return None
    return int(microseconds) / 1e6


def _send(notify_socket: socket.socket, address: str, message: bytes) -> None:
    # The registry keeps serving if systemd does not receive the message.
    with suppress(OSError):
        notify_socket.sendto(message, address)


STATUS_INTERVAL = 30.0
"""Seconds between status lines, unless the watchdog needs a message sooner."""


class Supervision(Service):
    """Reports the daemon's state to systemd. It is the last service to start.

    The watchdog is fed from the reactor, so it fires if the reactor hangs. A disk that does not
    answer does not trigger it, because a restart would not help.

    Args:
        notifier: Sends the messages.
        clock: The reactor.
        describe: Returns a status line, for ``systemctl status``.
        monotonic: Returns the time of CLOCK_MONOTONIC, in nanoseconds.
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
        self._reports = LoopingCall(self._report)
        self._reports.clock = clock
        self._clock = clock

    def startService(self) -> None:
        """Report that the daemon is ready, once the reactor runs."""
        super().startService()
        self._clock.callLater(0, self._begin)

    def stopService(self) -> None:
        """Report that the daemon is stopping."""
        super().stopService()
        if self._reports.running:
            self._reports.stop()
        self._notifier.tell(STOPPING=1, STATUS="stopping: transfers in progress may finish")

    def reload(self, action: Callable[[], object]) -> None:
        """Reload by calling ``action``, and report the beginning and the end."""
        self._notifier.tell(RELOADING=1, MONOTONIC_USEC=self._monotonic() // 1000)
        action()
        self._notifier.tell(READY=1, STATUS=self._describe())

    def _begin(self) -> None:
        if not self.running:
            return
        self._notifier.tell(READY=1, STATUS=self._describe())
        watchdog = self._notifier.watchdog
        interval = STATUS_INTERVAL if watchdog is None else min(watchdog / 2, STATUS_INTERVAL)
        self._reports.start(interval, now=False)

    def _report(self) -> None:
        if self._notifier.watchdog is None:
            self._notifier.tell(STATUS=self._describe())
        else:
            self._notifier.tell(WATCHDOG=1, STATUS=self._describe())
