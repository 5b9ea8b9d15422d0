"""Programs that the end-to-end tests run."""

import os
import random
import shutil
import socket
import subprocess
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NoReturn

from twisted.trial.unittest import SkipTest

# Programs that are not called as the Debian package that brings them.
_PACKAGES = {
    "chromedriver": "chromium-driver",
    "ctr": "containerd",
    "htpasswd": "apache2-utils",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "promtool": "prometheus",
    "systemctl": "systemd",
    "systemd-analyze": "systemd",
    "systemd-socket-activate": "systemd",
    "unshare": "util-linux",
}


GO_TOOLS = os.environ.get("MINREG_GO_TOOLS") or os.path.expanduser("~/.cache/minreg-ci/go/bin")
"""The directory of the programs that ``.ci/go_tools`` builds."""

# Programs that Debian has not. containerd-2 is a directory with containerd 2, its shim and ctr.
_BUILT_WITH_GO = frozenset(
    {"conformance", "containerd-2", "cosign", "crane", "crictl", "oras", "regctl"}
)


class ProgramFailed(AssertionError):
    """A program did not do what was asked of it; the text says how it ended."""


def run(
    *command: str,
    seconds: float = 60,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Run a program to its end and return what it printed.

    Args:
        command: The program and its arguments.
        seconds: How long it may take.
        environment: What it finds in its environment, besides ours.

    Raises:
        ProgramFailed: It ended with a status other than 0.
    """
    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
        env={**os.environ, **environment},
        check=False,
    )
    if ended.returncode != 0:
        raise ProgramFailed(f"{' '.join(command)}: {ended.returncode}\n{ended.stderr}")
    return ended.stdout


def installed(program: str) -> str:
    """Find a program of the Python environment that the tests run in."""
    return os.path.join(sysconfig.get_path("scripts"), program)


def need_programs(*programs: str) -> None:
    """Skip the test where a program is missing; under ``CI``, fail it."""
    for program in programs:
        if program in _BUILT_WITH_GO:
            _need_go_tool(program)
        elif shutil.which(program) is None:
            do_without(f"{program} is missing: apt install {_PACKAGES.get(program, program)}")


def _need_go_tool(program: str) -> None:
    if shutil.which(program) or os.path.isdir(os.path.join(GO_TOOLS, program)):
        return
    try:
        with open(os.path.join(GO_TOOLS, f"{program}.failed"), encoding="utf-8") as file:
            raise SkipTest(f"{program} is missing: .ci/go_tools failed: {file.read().strip()}")
    except FileNotFoundError:
        pass
    if shutil.which("go") is None:
        raise SkipTest(f"{program} is missing: install go, and run .ci/go_tools")
    do_without(f"{program} is missing: run .ci/go_tools")


def do_without(reason: str) -> NoReturn:
    """Skip the test for a reason that a user can remove; under ``CI``, fail it.

    Raises:
        SkipTest: This is a user's machine.
        AssertionError: This is CI.
    """
    if "CI" in os.environ:
        raise AssertionError(reason)
    raise SkipTest(reason)


def free_port() -> int:
    """Find a port of 127.0.0.1 that is free, and that the kernel gives to nobody meanwhile.

    What the kernel chooses for clients and for port 0 lies above (ip_local_port_range), so
    that tests in other processes do not take the port before the daemon listens on it.
    """
    while True:
        port = random.randrange(20000, 32768)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for_exit(process: "subprocess.Popen[bytes]", seconds: float) -> int:
    """Return the exit status of a process that was told to stop.

    Raises:
        TimeoutExpired: It did not stop in time, and was killed.
    """
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
