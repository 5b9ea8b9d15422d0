"""The service that starts K3s or RKE2: its command line and its environment."""

import os
from collections.abc import Mapping, Sequence

import attrs

from minreg.node.doctor.distributions import Distribution
from minreg.node.doctor.files import NodeFiles
from minreg.node.doctor.systemd import (
    Entry,
    Unit,
    expand,
    find_unit,
    list_units,
    read_environment,
    split_words,
)

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
