"""The files that make minreg a service of a node, for its program and its root."""

import os
import re
from importlib.resources import files

import attrs

from minreg.defaults import DEFAULT_ALIAS, ENDPOINT, NODE_TREES
from minreg.node.placement import Link, Placement, locate
from minreg.node.registries.text import make_mirrors, render
from minreg.settings import parse_alias

DEFAULT_ROOT = NODE_TREES[0]
DISTRIBUTIONS = ("k3s", "rke2")
"""Who may have a ``registries.yaml``, below ``/etc/rancher``."""

_PROGRAM = "/opt/minreg/bin/twistd"
_UNITS = "/etc/systemd/system"
SERVICE = f"{_UNITS}/minreg.service"
_NAMES = ("minreg.socket", "minreg.service", "minreg-root.service", "minreg-route.service")
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
    wanted = {"minreg.socket": "sockets.target", "minreg.service": "multi-user.target"}
    if with_route:
        wanted["minreg-route.service"] = "multi-user.target"
    return [
        Link(f"{_UNITS}/{target}.wants/{unit}", f"{_UNITS}/{unit}")
        for unit, target in wanted.items()
    ]


def make_registries(distribution: str) -> Placement:
    """Make the file that tells K3s, or RKE2, of the mirror for its own images."""
    registry, _ = parse_alias(DEFAULT_ALIAS)
    text = render(make_mirrors([registry], [ENDPOINT]))
    return Placement(f"/etc/rancher/{distribution}/registries.yaml", text)


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
