"""Makes the systemd units, and checks the paths in them.

The units are the files in ``systemd/``, with the paths of the program and of the tree replaced.
"""

import os
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files

import attrs

from minreg.defaults import DEFAULT_ROOT, SERVICE_UNIT, SOCKET_UNIT
from minreg.k3s.doctor.services import DISTRIBUTIONS, K3S, Distribution
from minreg.node.managed_files import ManagedFile, UnitLink
from minreg.prefix import resolve_below
from minreg.program import is_standalone

COMMAND = "/usr/local/bin/minreg"
"""The link by which a shell finds the ``minreg`` command."""

_PROGRAM = "/opt/minreg/bin/minreg"
_UNITS = "/etc/systemd/system"
SERVICE = f"{_UNITS}/{SERVICE_UNIT}"
ROUTE_UNIT = "minreg-route.service"
_NAMES = (SOCKET_UNIT, SERVICE_UNIT, "minreg-root.service", ROUTE_UNIT)
_ESCAPED = re.compile(r"[^A-Za-z0-9:_.]")
_COMMAND = re.compile(r"^ExecStart=(\S+) serve --root (\S+) ", re.MULTILINE)
_OLD_COMMAND = re.compile(
    r"^ExecStart=(\S+/)twistd --nodaemon --pidfile= minreg --root (\S+) ", re.MULTILINE
)
# An absolute path without ".", ".." and characters that systemd, or a shell in a unit, expands.
_PLAIN = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._@+-]+)+")
_HOMES = ("/home/", "/root/", "/run/user/")
# Directories that the service does not see (ProtectHome=, PrivateTmp=, TemporaryFileSystem=/var).
_HIDDEN = (*_HOMES, "/tmp/", "/var/")  # noqa: S108 - not written to
# Directories of which BindReadOnlyPaths= cannot, or should not, show the service a part.
_NOT_SHOWN = (*_HOMES, "/etc/rancher/", "/dev/", "/proc/", "/sys/", "/tmp/", "/var/tmp/")  # noqa: S108 - likewise
_EXECUTABLE = 0o005
_PASSABLE = 0o001


class PathUnsuitable(ValueError):
    """A path cannot be used in the units; the message says why, and what to do."""


def check_program(path: str) -> str:
    """Check that the service can see its program.

    Raises:
        PathUnsuitable: The path cannot be used in a unit, or is hidden from the service.
    """
    _check_plain(path, "--program")
    if os.path.basename(path) == "twistd":
        command = os.path.join(os.path.dirname(path), "minreg")
        raise PathUnsuitable(f"--program {path} is not minreg: use --program {command}")
    if path.startswith(_HIDDEN):
        raise PathUnsuitable(_hidden(path))
    return path


def check_root(path: str) -> str:
    """Check that the service can be given access to the tree.

    Returns:
        The path without a slash at its end.

    Raises:
        PathUnsuitable: The path cannot be used in a unit, or nothing there can be made visible to
            the service.
    """
    path = path.rstrip("/") if path.strip("/") else path
    _check_plain(path, "--root")
    if path == "/var" or f"{path}/".startswith(_NOT_SHOWN):
        raise PathUnsuitable(
            f"--root {path} is in a directory that is hidden from the service: keep the tree in "
            "a directory of its own, such as /srv/registry"
        )
    return path


def check_runs(program: str, hidden: Sequence[str] = _HIDDEN) -> None:
    """Check that the service can run its program on this node.

    Args:
        program: A script, whose first line names the Python that runs it, or a binary.
        hidden: The directories that are hidden from the service.

    Raises:
        PathUnsuitable: The program or its Python does not exist, is hidden from the service, or
            may not be read or executed by its user.
    """
    paths = [program, *_interpreters(program)]
    for path in paths:
        real = os.path.realpath(path)
        if not os.path.exists(real):
            raise PathUnsuitable(f"{path} does not exist: name the minreg command with --program")
        if real.startswith(tuple(hidden)):
            raise PathUnsuitable(_hidden(f"{path}, a link to {real},"))
    for path in map(os.path.realpath, paths):
        closed = [parent for parent in _parents(path) if not os.stat(parent).st_mode & _PASSABLE]
        if closed or os.stat(path).st_mode & _EXECUTABLE != _EXECUTABLE:
            outermost = closed[-1] if closed else path
            raise PathUnsuitable(
                f"{outermost} cannot be read by the service's user: chmod -R a+rX {outermost}"
            )


def _check_plain(path: str, option: str) -> None:
    """Check that a path has no character that has another meaning in a unit."""
    if _PLAIN.fullmatch(path) is None:
        raise PathUnsuitable(
            f"{option} {path} cannot be used in a unit: use an absolute path of letters, digits "
            "and ._@+-"
        )


def _hidden(path: str) -> str:
    python = "" if is_standalone() else " with the system's Python"
    return (
        f"{path} is in a directory that is hidden from the service: install minreg below /opt"
        f"{python}, or name another minreg command with --program"
    )


def _interpreters(program: str) -> Iterator[str]:
    """Yield the interpreter that a script names in its first line (execve(2)), if any."""
    try:
        with open(program, "rb") as file:
            first_line = file.readline(256)
    except OSError:
        return
    if first_line.startswith(b"#!"):
        yield from map(os.fsdecode, first_line[2:].split()[:1])


def _parents(path: str) -> list[str]:
    """List the directories above a path, the innermost first."""
    parents = []
    while path != "/":
        path = os.path.dirname(path)
        parents.append(path)
    return parents


@attrs.frozen
class InstalledPaths:
    """The program and the tree in an installed unit; None if there is no such unit."""

    program: str | None = None
    root: str | None = None


def parse_unit(text: str) -> InstalledPaths:
    """Read the paths in an installed unit.

    Args:
        text: The text of ``minreg.service``, which may have been changed by hand.
    """
    match = _COMMAND.search(text)
    if match is not None:
        return InstalledPaths(*match.groups())
    # Earlier versions ran twistd, which pip installs beside minreg.
    match = _OLD_COMMAND.search(text)
    return InstalledPaths() if match is None else InstalledPaths(f"{match[1]}minreg", match[2])


def make_units(program: str, root: str) -> list[ManagedFile]:
    """Make the units.

    Args:
        program: The path of the ``minreg`` command.
        root: The registry tree.
    """
    return [
        ManagedFile(f"{_UNITS}/{name}", _fill_in(f"systemd/{name}", program, root))
        for name in _NAMES
    ]


def make_links(*, with_route: bool) -> list[UnitLink]:
    """Make the links that enable the units at boot."""
    targets = {SOCKET_UNIT: "sockets.target", SERVICE_UNIT: "multi-user.target"}
    if with_route:
        targets[ROUTE_UNIT] = "multi-user.target"
    return [
        UnitLink(f"{_UNITS}/{target}.wants/{unit}", f"{_UNITS}/{unit}")
        for unit, target in targets.items()
    ]


def make_command_link(program: str, before: str | None) -> UnitLink | None:
    """Make the link by which a shell finds the ``minreg`` command.

    Args:
        program: The path of the command.
        before: The program of an earlier installation, None if there is none.

    Returns:
        None if the command itself has the path of the link.
    """
    former = (before,) if before is not None else ()
    return UnitLink(COMMAND, program, former) if program != COMMAND else None


def find_distributions(root: str, destination: str) -> list[Distribution]:
    """Find the distributions of this node: by the path of the tree, or their configuration.

    If neither says which, it is K3s.

    Args:
        root: The registry tree.
        destination: The directory that stands for the node's root.
    """
    return [
        distribution
        for distribution in DISTRIBUTIONS
        if root.startswith(f"{distribution.data}/")
        or os.path.isdir(resolve_below(destination, distribution.configuration))
    ] or [K3S]


def _fill_in(name: str, program: str, root: str) -> str:
    """Read a unit, and replace the paths of the program and of the tree."""
    make_parent = f"mkdir -p -m 0700 {os.path.dirname(DEFAULT_ROOT)}\n"
    # /var is hidden from the service except for the tree, so its parent may stay closed. Elsewhere
    # the service's user has to pass through the parent.
    mode = "0700" if root.startswith("/var/") else "0755"
    return (
        _read(name)
        .replace(_PROGRAM, program)
        .replace(make_parent, f"mkdir -p -m {mode} {os.path.dirname(root)}\n")
        .replace(_name_mounts(DEFAULT_ROOT), _name_mounts(root))
        .replace(DEFAULT_ROOT, root)
    )


def _name_mounts(path: str) -> str:
    """Return the names of the mount units of a path and of all directories above it.

    Source: systemd.unit(5), "String Escaping for Inclusion in Unit Names".
    """
    parts = [_ESCAPED.sub(_escape, part) for part in path[1:].split("/")]
    parts[0] = re.sub(r"^\.", _escape, parts[0])
    return " ".join("-".join(parts[:length]) + ".mount" for length in range(1, len(parts) + 1))


def _escape(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}"


def _read(name: str) -> str:
    return files("minreg.node").joinpath(name).read_text(encoding="utf-8")
