"""The files that make minreg a service of a node, for its program and its root."""

import os
import re
from importlib.resources import files

import attrs

from minreg.defaults import NODE_TREES
from minreg.node.placement import Link, Placement, locate

DEFAULT_ROOT = NODE_TREES[0]
DISTRIBUTIONS = ("k3s", "rke2")
"""Who may have a ``registries.yaml``, below ``/etc/rancher``."""

COMMAND = "/usr/local/bin/minreg"
"""Where the program is found by its name."""

_PROGRAM = "/opt/minreg/bin/twistd"
_UNITS = "/etc/systemd/system"
SERVICE = f"{_UNITS}/minreg.service"
SOCKET_UNIT, SERVICE_UNIT, ROUTE_UNIT = "minreg.socket", "minreg.service", "minreg-route.service"
_NAMES = (SOCKET_UNIT, SERVICE_UNIT, "minreg-root.service", ROUTE_UNIT)
_ESCAPED = re.compile(r"[^A-Za-z0-9:_.]")
_COMMAND = re.compile(r"^ExecStart=(\S+) --nodaemon --pidfile= minreg --root (\S+) ", re.MULTILINE)


@attrs.frozen
class Choice:
    """What the units are made for; None stands for what nobody has chosen."""

    program: str | None = None
    root: str | None = None


def parse_choice(text: str) -> Choice:
    """Read what a service was made for.

    Args:
        text: The unit ``minreg.service``, as some run of ours wrote it, changed or not.
    """
    found = _COMMAND.search(text)
    return Choice() if found is None else Choice(*found.groups())


def make_units(program: str, root: str) -> list[Placement]:
    """Make the units.

    Args:
        program: The path of the ``twistd`` that runs minreg.
        root: The registry tree.
    """
    return [
        Placement(f"{_UNITS}/{name}", _fill_in(f"systemd/{name}", program, root))
        for name in _NAMES
    ]


def make_links(*, with_route: bool) -> list[Link]:
    """Make the links that have the units started at boot."""
    wanted = {SOCKET_UNIT: "sockets.target", SERVICE_UNIT: "multi-user.target"}
    if with_route:
        wanted[ROUTE_UNIT] = "multi-user.target"
    return [
        Link(f"{_UNITS}/{target}.wants/{unit}", f"{_UNITS}/{unit}")
        for unit, target in wanted.items()
    ]


def make_command_link(program: str, before: str | None) -> Link | None:
    """Make the link by which the ``minreg`` command is found.

    Args:
        program: The path of the ``twistd`` that runs minreg; ``minreg`` lies beside it.
        before: The program of the installation before, None if there is none.

    Returns:
        None if the command lies there itself.
    """
    target = _beside(program)
    former = (_beside(before),) if before is not None else ()
    return Link(COMMAND, target, former) if target != COMMAND else None


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
        or os.path.isdir(locate(destination, f"/etc/rancher/{name}"))
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
