"""The two distributions of Kubernetes that read the same files: K3s and RKE2."""

import attrs


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
