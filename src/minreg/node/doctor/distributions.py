"""The two distributions of Kubernetes that read the same files: K3s and RKE2."""

import attrs


@attrs.frozen
class Distribution:
    """Where a distribution keeps things, and what its services are called."""

    name: str
    title: str
    services: tuple[str, ...]

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


K3S = Distribution("k3s", "K3s", ("k3s.service", "k3s-agent.service"))
RKE2 = Distribution("rke2", "RKE2", ("rke2-server.service", "rke2-agent.service"))
DISTRIBUTIONS = (K3S, RKE2)
