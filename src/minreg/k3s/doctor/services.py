"""The two distributions of Kubernetes that read the same files: K3s and RKE2."""

import os
from collections.abc import Mapping, Sequence

import attrs

from minreg.k3s.doctor.files import NodeFiles
from minreg.k3s.doctor.systemd_units import (
    Entry,
    Unit,
    expand,
    find_unit,
    list_units,
    read_environment,
    split_words,
)


@attrs.frozen
class Distribution:
    """Where a distribution keeps things, and what its services are called."""

    name: str
    title: str
    services: tuple[str, ...]
    in_environment: frozenset[str]
    """The settings, of those that are looked at here, that the environment can have."""

    @property
    def configuration(self) -> str:
        """The directory of ``config.yaml`` and ``registries.yaml``."""
        return f"/etc/rancher/{self.name}"

    @property
    def data(self) -> str:
        """Where it keeps its state, unless ``data-dir`` says otherwise."""
        return f"/var/lib/rancher/{self.name}"

    def variable(self, setting: str) -> str:
        """Name the variable of the environment that stands for a setting."""
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


_PREFIXES = "-@:+!"


@attrs.frozen
class Service:
    """A service with the words of its command line, the program left out."""

    unit: Unit
    start: Entry
    words: Sequence[str]
    environment: Mapping[str, str]

    @property
    def is_agent(self) -> bool:
        """Whether it runs an agent, whose server knows the settings of the cluster."""
        return self.words[:1] == ["agent"]


def find_service(files: NodeFiles, distribution: Distribution) -> Service | None:
    """Find the service of a distribution; of several, one that is started at boot."""
    names = dict.fromkeys((*distribution.services, *list_units(files, f"{distribution.name}-")))
    found = [read_service(files, name, distribution.name) for name in names]
    services = [service for service in found if service is not None]
    enabled = [service for service in services if service.unit.is_enabled]
    return next(iter(enabled or services), None)


def read_service(files: NodeFiles, name: str, program: str) -> Service | None:
    """Read a service; None if there is none of this name that runs this program."""
    unit = find_unit(files, name)
    start = unit.entry("Service", "ExecStart") if unit is not None else None
    if unit is None or start is None:
        return None
    environment = read_environment(files, unit)
    words = expand(split_words(start.value), environment)
    if not words or os.path.basename(words[0].lstrip(_PREFIXES)) != program:
        return None
    return Service(unit, start, words[1:], environment)
