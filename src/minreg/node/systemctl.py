"""Waits until the registry that was started is ready."""

import os
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence

import attrs

from minreg.defaults import SERVICE_UNIT, SOCKET_UNIT
from minreg.k3s.doctor.probe import Ask
from minreg.node.install import Step
from minreg.node.units import ROUTE_UNIT

_ATTEMPTS = 30
_PAUSE = 0.5
"""Seconds between two attempts."""


def wait_until_ready(url: str, ask: Ask, sleep: Callable[[float], object]) -> str:
    """Ask a registry whether it is ready until it answers.

    A tree that is not there is not waited for: nobody can tell when it comes.

    Args:
        url: Where the registry listens.
        ask: Sends a request.
        sleep: Waits for so many seconds.

    Returns:
        What came of it, in a few words.
    """
    failure = ""
    for _ in range(_ATTEMPTS):
        reply = ask(f"{url}/readyz")
        match reply.status:
            case 0:
                failure = reply.failure
                sleep(_PAUSE)
            case 503:
                return "answers, and waits for a registry tree"
            case _:
                # Where health is asked for elsewhere, this is a 404 of a registry that serves.
                return "answers"
    return f"does not answer: {failure}"


BOOTED = "/run/systemd/system"
"""A directory that is there if and only if systemd runs this machine (sd_booted(3))."""

_LOG_LINES = 10
_SECONDS = 120
"""How long an order may take: longer than the service takes to start or to stop."""


@attrs.frozen
class SystemctlResult:
    """How a program ended: its exit status, and what it printed."""

    status: int
    output: str


Run = Callable[[Sequence[str]], SystemctlResult]


class UnitFailed(Exception):
    """Systemd could not carry out an order; ``log`` are the last lines that say why."""

    def __init__(self, message: str, log: Sequence[str]) -> None:
        super().__init__(message)
        self.log = log


def run_program(command: Sequence[str]) -> SystemctlResult:
    """Run a program to its end, both of its outputs together."""
    try:
        ended = subprocess.run(  # noqa: S603 - the commands are those of this module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return SystemctlResult(124, f"{' '.join(command)} took more than {_SECONDS} seconds")
    except OSError as error:
        return SystemctlResult(127, f"{command[0]}: {error.strerror}")
    return SystemctlResult(ended.returncode, ended.stdout)


def is_booted(path: str = BOOTED) -> bool:
    """Return whether systemd runs this machine, so that it can start units."""
    return os.path.isdir(path)


@attrs.frozen
class UnitManager:
    """The systemd of this node.

    ``run`` runs a program. ``now`` is the time now, in seconds of the clock that systemd's
    monotonic timestamps are of.
    """

    run: Run = run_program
    now: Callable[[], float] = time.monotonic

    def start_all(
        self, changed: Collection[str], *, with_route: bool, installed: float | None = None
    ) -> Iterator[Step]:
        """Start the units that do not run, and restart those whose files were changed.

        Args:
            changed: The names of the units whose files were written.
            with_route: Whether to start the default route as well.
            installed: How many seconds ago the program was installed, None if that is not known.

        Raises:
            UnitFailed: One of them does not start.
        """
        self.reload()
        yield self._start(SOCKET_UNIT, is_due=SOCKET_UNIT in changed)
        age = self._age(SERVICE_UNIT)
        is_newer = age is not None and installed is not None and installed < age
        yield self._start(SERVICE_UNIT, is_due=SERVICE_UNIT in changed or is_newer)
        if with_route:
            yield self._start(ROUTE_UNIT, is_due=ROUTE_UNIT in changed)

    def stop_all(self) -> Iterator[Step]:
        """Stop all units of minreg that run.

        Raises:
            UnitFailed: That cannot be done.
        """
        active = [
            unit for unit in (SERVICE_UNIT, SOCKET_UNIT, ROUTE_UNIT) if self._is_active(unit)
        ]
        if active:
            # All in one order: the socket alone would start the service again.
            self._order("stop", "minreg*")
        for unit in active:
            yield Step(unit, "stopped", is_change=True)

    def reload(self) -> None:
        """Have systemd read the files of units again.

        Raises:
            UnitFailed: That cannot be done.
        """
        self._order("daemon-reload")

    def _start(self, unit: str, *, is_due: bool) -> Step:
        is_active = self._is_active(unit)
        if is_active and not is_due:
            return Step(unit, "runs already")
        began = time.time()
        # An attempt to start the service that systemd is making may be one with old options.
        verb = "restart" if is_active or unit == SERVICE_UNIT else "start"
        outcome = self.run(["systemctl", verb, unit])
        if outcome.status != 0:
            log = self._log(unit, began) or outcome.output.splitlines()
            raise UnitFailed(f"{unit} does not start", log)
        if not self._is_active(unit):
            return Step(unit, "has nothing to do")
        return Step(unit, "restarted" if is_active else "started", is_change=True)

    def _order(self, *words: str) -> None:
        outcome = self.run(["systemctl", *words])
        if outcome.status != 0:
            raise UnitFailed(f"systemctl {' '.join(words)} failed", outcome.output.splitlines())

    def _is_active(self, unit: str) -> bool:
        return self._show(unit, "ActiveState") == "active"

    def _age(self, unit: str) -> float | None:
        """Tell for how many seconds a unit has been active."""
        microseconds = self._show(unit, "ActiveEnterTimestampMonotonic")
        if not microseconds.isdigit() or microseconds == "0":
            return None
        return self.now() - int(microseconds) / 1e6

    def _show(self, unit: str, name: str) -> str:
        outcome = self.run(["systemctl", "show", unit, f"--property={name}"])
        return outcome.output.strip().partition("=")[2]

    def _log(self, unit: str, began: float) -> list[str]:
        """Give the last lines that a unit, or systemd about it, has logged since a time."""
        self.run(["journalctl", "--sync"])
        outcome = self.run(
            [
                *("journalctl", "--quiet", "--no-pager", "--output=cat", f"--unit={unit}"),
                *(f"--since=@{int(began)}", f"--lines={_LOG_LINES}"),
            ]
        )
        return outcome.output.splitlines() if outcome.status == 0 else []
