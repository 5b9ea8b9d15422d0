"""K3s and RKE2, which read the same configuration, and their services on a node."""

import os
from collections.abc import Mapping, Sequence

import attrs

from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.systemd_units import (
    Entry,
    Unit,
    expand,
    find_unit,
    list_services,
    read_environment,
    split_words,
)


@attrs.frozen
class Distribution:
    """The paths and services of a distribution."""

    name: str
    title: str
    services: tuple[str, ...]
    in_environment: frozenset[str]
    """The settings used here that can also be set by an environment variable."""

    @property
    def configuration(self) -> str:
        """The directory of ``config.yaml`` and ``registries.yaml``."""
        return f"/etc/rancher/{self.name}"

    @property
    def data(self) -> str:
        """The directory of its state, unless ``data-dir`` is set."""
        return f"/var/lib/rancher/{self.name}"

    def variable(self, setting: str) -> str:
        """Return the name of the environment variable for a setting."""
        return f"{self.name}_{setting}".upper().replace("-", "_")


# K3s, ``EnvVar`` in pkg/cli/cmds; RKE2, ``pause-image`` in pkg/cli/cmds/root.go.
_IN_ENVIRONMENT = frozenset({"data-dir", "system-default-registry"})

K3S = Distribution("k3s", "K3s", ("k3s.service", "k3s-agent.service"), _IN_ENVIRONMENT)
RKE2 = Distribution(
    "rke2",
    "RKE2",
    ("rke2-server.service", "rke2-agent.service"),
    _IN_ENVIRONMENT | {"pause-image"},
)
DISTRIBUTIONS = (K3S, RKE2)


# Characters before the path in ExecStart= that change how it is run (systemd.service(5)).
_PREFIXES = "-@:+!"


@attrs.frozen
class Service:
    """A service, with the arguments of its command line without the program."""

    unit: Unit
    start: Entry
    arguments: Sequence[str]
    environment: Mapping[str, str]

    @property
    def is_agent(self) -> bool:
        """Whether it runs an agent."""
        return self.arguments[:1] == ["agent"]


def find_service(files: NodeFiles, distribution: Distribution) -> Service | None:
    """Find the service of a distribution; if there are several, preferably an enabled one."""
    names = dict.fromkeys((*distribution.services, *list_services(files, f"{distribution.name}-")))
    services = [
        service
        for name in names
        if (service := read_service(files, name, distribution.name)) is not None
    ]
    enabled = [service for service in services if service.unit.is_enabled]
    return next(iter(enabled or services), None)


def read_service(files: NodeFiles, name: str, program: str) -> Service | None:
    """Read a service; None if it does not exist, or runs another program."""
    unit = find_unit(files, name)
    start = unit.entry("Service", "ExecStart") if unit is not None else None
    if unit is None or start is None:
        return None
    environment = read_environment(files, unit)
    words = expand(split_words(start.value), environment)
    if not words or os.path.basename(words[0].lstrip(_PREFIXES)) != program:
        return None
    return Service(unit, start, words[1:], environment)
