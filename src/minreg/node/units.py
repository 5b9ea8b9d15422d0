"""Which paths can stand in the units: what means the same there, and what the service sees."""

import os
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files

import attrs

from minreg.defaults import DEFAULT_ROOT, SERVICE_UNIT, SOCKET_UNIT
from minreg.node.managed_files import ManagedFile, UnitLink
from minreg.prefix import resolve_below

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


DISTRIBUTIONS = ("k3s", "rke2")
"""Who may have a ``registries.yaml``, below ``/etc/rancher``."""

COMMAND = "/usr/local/bin/minreg"
"""Where the program is found by its name."""

_PROGRAM = "/opt/minreg/bin/twistd"
_UNITS = "/etc/systemd/system"
SERVICE = f"{_UNITS}/{SERVICE_UNIT}"
ROUTE_UNIT = "minreg-route.service"
_NAMES = (SOCKET_UNIT, SERVICE_UNIT, "minreg-root.service", ROUTE_UNIT)
_ESCAPED = re.compile(r"[^A-Za-z0-9:_.]")
_COMMAND = re.compile(r"^ExecStart=(\S+) --nodaemon --pidfile= minreg --root (\S+) ", re.MULTILINE)


@attrs.frozen
class InstalledChoice:
    """What the units are made for; None stands for what nobody has chosen."""

    program: str | None = None
    root: str | None = None


def parse_choice(text: str) -> InstalledChoice:
    """Read what a service was made for.

    Args:
        text: The unit ``minreg.service``, as some run of ours wrote it, changed or not.
    """
    found = _COMMAND.search(text)
    return InstalledChoice() if found is None else InstalledChoice(*found.groups())


def make_units(program: str, root: str) -> list[ManagedFile]:
    """Make the units.

    Args:
        program: The path of the ``twistd`` that runs minreg.
        root: The registry tree.
    """
    return [
        ManagedFile(f"{_UNITS}/{name}", _fill_in(f"systemd/{name}", program, root))
        for name in _NAMES
    ]


def make_links(*, with_route: bool) -> list[UnitLink]:
    """Make the links that have the units started at boot."""
    wanted = {SOCKET_UNIT: "sockets.target", SERVICE_UNIT: "multi-user.target"}
    if with_route:
        wanted[ROUTE_UNIT] = "multi-user.target"
    return [
        UnitLink(f"{_UNITS}/{target}.wants/{unit}", f"{_UNITS}/{unit}")
        for unit, target in wanted.items()
    ]


def make_command_link(program: str, before: str | None) -> UnitLink | None:
    """Make the link by which the ``minreg`` command is found.

    Args:
        program: The path of the ``twistd`` that runs minreg; ``minreg`` lies beside it.
        before: The program of the installation before, None if there is none.

    Returns:
        None if the command lies there itself.
    """
    target = _beside(program)
    former = (_beside(before),) if before is not None else ()
    return UnitLink(COMMAND, target, former) if target != COMMAND else None


def find_distributions(root: str, destination: str) -> list[str]:
    """Find which of them this node has: whose tree it is, or who is set up already.

    Args:
        root: The registry tree.
        destination: The directory that stands for the node's root.
    """
    return [
        name
        for name in DISTRIBUTIONS
        if root.startswith(f"/var/lib/rancher/{name}/")
        or os.path.isdir(resolve_below(destination, f"/etc/rancher/{name}"))
    ] or ["k3s"]


def _beside(program: str) -> str:
    return os.path.join(os.path.dirname(program), "minreg")


def _fill_in(name: str, program: str, root: str) -> str:
    """Put a program and a root in the place of those that the units themselves name."""
    above = f"mkdir -p -m 0700 {os.path.dirname(DEFAULT_ROOT)}\n"
    # Below /var the service sees the tree alone; elsewhere it has to come past what is above.
    mode = "0700" if root.startswith("/var/") else "0755"
    return (
        _read(name)
        .replace(_PROGRAM, program)
        .replace(above, f"mkdir -p -m {mode} {os.path.dirname(root)}\n")
        .replace(_name_mounts(DEFAULT_ROOT), _name_mounts(root))
        .replace(DEFAULT_ROOT, root)
    )


def _name_mounts(path: str) -> str:
    """Name the units of all file systems that a path may lie on.

    Source: systemd.unit(5), "String Escaping for Inclusion in Unit Names".
    """
    parts = [_ESCAPED.sub(_escape, part) for part in path[1:].split("/")]
    parts[0] = re.sub(r"^\.", _escape, parts[0])
    return " ".join("-".join(parts[:length]) + ".mount" for length in range(1, len(parts) + 1))


def _escape(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


def _read(name: str) -> str:
    return files("minreg.node").joinpath(name).read_text(encoding="utf-8")
