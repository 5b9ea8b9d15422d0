"""The files that make minreg a service of a node, for its program and its root."""

import os
import re
from importlib.resources import files

from minreg.node.placement import Link, Placement
from minreg.node.registries_text import make_mirrors, render

DEFAULT_ROOT = "/var/lib/rancher/k3s/server/registry"
ENDPOINT = "http://127.0.0.1:9080"

REGISTRIES = "/etc/rancher/k3s/registries.yaml"

_PROGRAM = "/opt/minreg/bin/twistd"
_UNITS = "/etc/systemd/system"
_NAMES = ("minreg.socket", "minreg.service", "minreg-root.service", "minreg-route.service")
_PLAIN = re.compile(r"(/[A-Za-z0-9@_+][A-Za-z0-9._@+-]*)+")
_HOMES = ("/home/", "/root/", "/run/user/")
_HIDDEN = (*_HOMES, "/tmp/", "/var/")  # noqa: S108 - not written to


class PathUnsuitable(ValueError):
    """A path cannot stand in the units; the message says why, and the mend."""


def check_path(path: str, option: str) -> str:
    """Make sure that a path means the same in a unit as it does to whoever gave it.

    Raises:
        PathUnsuitable: It is not absolute, or has characters that systemd takes for its own.
    """
    if _PLAIN.fullmatch(path) is None:
        raise PathUnsuitable(
            f"{option} {path} cannot stand in a unit: give a whole path of letters, digits "
            "and ._@+-"
        )
    return path


def check_program(path: str) -> str:
    """Make sure that the service will see its program.

    Raises:
        PathUnsuitable: It lies where the service sees nothing.
    """
    check_path(path, "--program")
    if path.startswith(_HIDDEN):
        raise PathUnsuitable(
            f"{path} lies where the service sees nothing: install minreg below /opt, "
            "or name its twistd with --program"
        )
    return path


def check_root(path: str) -> str:
    """Make sure that the service can be given the tree to see.

    Raises:
        PathUnsuitable: It lies where nothing is given to a service.
    """
    check_path(path, "--root")
    if path.startswith(_HOMES):
        raise PathUnsuitable(
            f"--root {path} lies where no service looks: keep the tree outside of homes"
        )
    return path


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


def make_registries(registry: str) -> Placement:
    """Make the file that tells K3s of the mirror.

    Args:
        registry: The host's name under which K3s looks for its own images.
    """
    return Placement(REGISTRIES, render(make_mirrors([registry], [ENDPOINT])))


def names_mirror(text: str) -> bool:
    """Tell whether a registries.yaml names this registry, comments apart."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    return any(re.search(r"//(127\.0\.0\.1|localhost):9080\b", line) for line in lines)


def _fill_in(name: str, program: str, root: str) -> str:
    """Put a program and a root in the place of those that the units themselves name."""
    above = f"mkdir -p -m 0700 {os.path.dirname(DEFAULT_ROOT)}\n"
    # Below /var the service sees the tree alone; elsewhere it has to come past what is above.
    mode = "0700" if root.startswith("/var/") else "0755"
    return (
        _read(name)
        .replace(_PROGRAM, program)
        .replace(above, f"mkdir -p -m {mode} {os.path.dirname(root)}\n")
        .replace(DEFAULT_ROOT, root)
    )


def _read(name: str) -> str:
    return files("minreg.node").joinpath(name).read_text(encoding="utf-8")
