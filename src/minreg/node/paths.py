"""Which paths can stand in the units: what means the same there, and what the service sees."""

import os
import re
from collections.abc import Iterator, Sequence

_PLAIN = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._@+-]+)+")
_HOMES = ("/home/", "/root/", "/run/user/")
_HIDDEN = (*_HOMES, "/tmp/", "/var/")  # noqa: S108 - not written to
_NOT_SHOWN = (*_HOMES, "/etc/rancher/", "/dev/", "/proc/", "/sys/", "/tmp/", "/var/tmp/")  # noqa: S108 - likewise
_EXECUTABLE = 0o005
_PASSABLE = 0o001


class PathUnsuitable(ValueError):
    """A path cannot stand in the units; the message says why, and the mend."""


def check_program(path: str) -> str:
    """Make sure that the service will see its program.

    Raises:
        PathUnsuitable: It cannot stand in a unit, or lies where the service sees nothing.
    """
    _check_plain(path, "--program")
    if path.startswith(_HIDDEN):
        raise PathUnsuitable(_hidden(path))
    return path


def check_root(path: str) -> str:
    """Make sure that the service can be given the tree to see.

    Returns:
        The path without a slash at its end.

    Raises:
        PathUnsuitable: It cannot stand in a unit, or lies where nothing is given to a service.
    """
    path = path.rstrip("/") if path.strip("/") else path
    _check_plain(path, "--root")
    if path == "/var" or f"{path}/".startswith(_NOT_SHOWN):
        raise PathUnsuitable(
            f"--root {path} is where no service looks: keep the tree in a place of its own, "
            "as below /srv or /var/lib"
        )
    return path


def check_runs(program: str, hidden: Sequence[str] = _HIDDEN) -> None:
    """Make sure that the service can run its program, as far as this node can tell.

    Args:
        program: A script, whose first line names the Python that runs it, or a binary.
        hidden: Where the service sees nothing.

    Raises:
        PathUnsuitable: It, or that Python, is not there, not to be seen, or not to be read.
    """
    needed = [program, *_interpreters(program)]
    for path in needed:
        real = os.path.realpath(path)
        if not os.path.exists(real):
            raise PathUnsuitable(f"{path} is not there: name the twistd of minreg with --program")
        if real.startswith(tuple(hidden)):
            raise PathUnsuitable(_hidden(f"{path} leads to {real}, which"))
    for path in map(os.path.realpath, needed):
        closed = [place for place in _above(path) if not os.stat(place).st_mode & _PASSABLE]
        if closed or os.stat(path).st_mode & _EXECUTABLE != _EXECUTABLE:
            place = closed[-1] if closed else path
            raise PathUnsuitable(f"{place} is closed to the service's user: chmod -R a+rX {place}")


def _check_plain(path: str, option: str) -> None:
    """Make sure that a path means the same in a unit as it does to whoever gave it."""
    if _PLAIN.fullmatch(path) is None:
        raise PathUnsuitable(
            f"{option} {path} cannot stand in a unit: give a whole path of letters, digits "
            "and ._@+-"
        )


def _hidden(words: str) -> str:
    return (
        f"{words} lies where the service sees nothing: install minreg below /opt with a Python "
        "of the system, or name its twistd with --program"
    )


def _interpreters(program: str) -> Iterator[str]:
    """Find the program that a script names in its first line (execve(2))."""
    try:
        with open(program, "rb") as file:
            first = file.readline(256)
    except OSError:
        return
    if first.startswith(b"#!"):
        yield from map(os.fsdecode, first[2:].split()[:1])


def _above(path: str) -> list[str]:
    """List the directories that lead to a path, the innermost first."""
    parents = []
    while path != "/":
        path = os.path.dirname(path)
        parents.append(path)
    return parents
