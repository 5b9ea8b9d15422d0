"""Starts and stops minreg's units with systemctl, and waits until the registry responds."""

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
    """Request ``/readyz`` until the registry responds, for at most 15 seconds.

    A registry without a tree is not waited for: the tree may be copied to the node at any time.

    Args:
        url: The URL of the registry.
        ask: Sends a request.
        sleep: Sleeps for a number of seconds.

    Returns:
        The result for the operator, in a few words.
    """
    failure = ""
    for _ in range(_ATTEMPTS):
        reply = ask(f"{url}/readyz")
        match reply.status:
            case 0:
                failure = reply.failure
                sleep(_PAUSE)
            case 503:
                return "responds, but has no registry tree yet"
            case _:
                # With --status-listen, /readyz is on another address, and this is a 404.
                return "responds"
    return f"does not respond: {failure}"


BOOTED = "/run/systemd/system"
"""The directory that exists if, and only if, systemd runs this machine (sd_booted(3))."""

_LOG_LINES = 10
_SECONDS = 120
"""Timeout of a command, in seconds: longer than the service takes to start or to stop."""


@attrs.frozen
class SystemctlResult:
    """The exit status of a program, and its output."""

    status: int
    output: str


Run = Callable[[Sequence[str]], SystemctlResult]


class UnitFailed(Exception):
    """A systemctl command failed; ``log`` are the last lines of the unit's log, or its output."""

    def __init__(self, message: str, log: Sequence[str]) -> None:
        super().__init__(message)
        self.log = log


def run_program(command: Sequence[str]) -> SystemctlResult:
    """Run a program, and return its exit status and output.

    The output is standard output and standard error together. As in a shell, the status is 124
    after a timeout, and 127 if the program cannot be run.
    """
    try:
        completed = subprocess.run(  # noqa: S603 - the commands are those of this module
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
    return SystemctlResult(completed.returncode, completed.stdout)


def is_booted(path: str = BOOTED) -> bool:
    """Return whether systemd runs this machine."""
    return os.path.isdir(path)


@attrs.frozen
class UnitManager:
    """Starts and stops the units on this node.

    ``run`` runs a program. ``now`` returns the time in seconds of CLOCK_MONOTONIC, which systemd's
    monotonic timestamps use.
    """

    run: Run = run_program
    now: Callable[[], float] = time.monotonic

    def start_all(
        self, changed: Collection[str], *, with_route: bool, installed: float | None = None
    ) -> Iterator[Step]:
        """Start the units that are not running, and restart those that were changed.

        Args:
            changed: The names of the units whose files were written.
            with_route: Whether to start the unit of the default route too.
            installed: The age of the installed program in seconds, None if it is not known. A
                service that has been running for longer is restarted.

        Yields:
            A step for each unit.

        Raises:
            UnitFailed: A unit does not start.
        """
        self.reload()
        yield self._start(SOCKET_UNIT, is_changed=SOCKET_UNIT in changed)
        age = self._age(SERVICE_UNIT)
        is_newer = age is not None and installed is not None and installed < age
        yield self._start(SERVICE_UNIT, is_changed=SERVICE_UNIT in changed or is_newer)
        if with_route:
            yield self._start(ROUTE_UNIT, is_changed=ROUTE_UNIT in changed)

    def stop_all(self) -> Iterator[Step]:
        """Stop the units of minreg that are running.

        Yields:
            A step for each of them.

        Raises:
            UnitFailed: They cannot be stopped.
        """
        active = [
            unit for unit in (SERVICE_UNIT, SOCKET_UNIT, ROUTE_UNIT) if self._is_active(unit)
        ]
        if active:
            # In one command: while the socket is active, a request starts the service again.
            self._run("stop", "minreg*")
        for unit in active:
            yield Step(unit, "stopped", is_change=True)

    def reload(self) -> None:
        """Reload the unit files.

        Raises:
            UnitFailed: systemd cannot reload them.
        """
        self._run("daemon-reload")

    def _start(self, unit: str, *, is_changed: bool) -> Step:
        is_active = self._is_active(unit)
        if is_active and not is_changed:
            return Step(unit, "already running")
        since = time.time()
        # If the service is just being started, it may have read its old options.
        verb = "restart" if is_active or unit == SERVICE_UNIT else "start"
        result = self.run(["systemctl", verb, unit])
        if result.status != 0:
            log = self._log(unit, since) or result.output.splitlines()
            raise UnitFailed(f"{unit} does not start", log)
        if not self._is_active(unit):
            return Step(unit, "nothing to do")
        return Step(unit, "restarted" if is_active else "started", is_change=True)

    def _run(self, *words: str) -> None:
        result = self.run(["systemctl", *words])
        if result.status != 0:
            raise UnitFailed(f"systemctl {' '.join(words)} failed", result.output.splitlines())

    def _is_active(self, unit: str) -> bool:
        return self._show(unit, "ActiveState") == "active"

    def _age(self, unit: str) -> float | None:
        """Return for how many seconds a unit has been active; None if it is not."""
        microseconds = self._show(unit, "ActiveEnterTimestampMonotonic")
        if not microseconds.isdigit() or microseconds == "0":
            return None
        return self.now() - int(microseconds) / 1e6

    def _show(self, unit: str, name: str) -> str:
        result = self.run(["systemctl", "show", unit, f"--property={name}"])
        return result.output.strip().partition("=")[2]

    def _log(self, unit: str, since: float) -> list[str]:
        """Return the last lines of a unit's log since a Unix time."""
        self.run(["journalctl", "--sync"])
        result = self.run(
            [
                *("journalctl", "--quiet", "--no-pager", "--output=cat", f"--unit={unit}"),
                *(f"--since=@{int(since)}", f"--lines={_LOG_LINES}"),
            ]
        )
        return result.output.splitlines() if result.status == 0 else []
