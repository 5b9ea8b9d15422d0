"""Programs that the end-to-end tests run."""

import os
import subprocess
import sysconfig
from collections.abc import Mapping
from types import MappingProxyType


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
