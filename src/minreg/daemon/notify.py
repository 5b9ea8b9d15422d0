"""Telling systemd how the daemon fares: the protocol of sd_notify(3), without libsystemd.

Each message is one datagram of ``NAME=value`` lines to the Unix socket that the environment
variable ``NOTIFY_SOCKET`` names. Where it names none, nothing is said.
"""

import os
import socket
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import partial

import attrs

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
