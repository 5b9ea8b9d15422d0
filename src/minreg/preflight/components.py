"""What K3s brings along and can be told to leave out, and the images of that.

Sources, all in k3s-io/k3s: ``pkg/cli/cmds/stage.go`` and ``server.go`` (what ``--disable``
takes); ``manifests/`` (what is deployed: coredns.yaml, local-storage.yaml with its helper
pod, metrics-server/, traefik.yaml); ``pkg/cloudprovider/servicelb.go`` (the load balancer);
k3s-io/helm-controller ``pkg/controllers/chart/chart.go`` (the jobs that install charts).
"""

from collections.abc import Iterable, Mapping

from minreg.preflight.wanted import WantedImage

COMPONENTS: Mapping[str, frozenset[str]] = {
    "coredns": frozenset({"coredns-coredns"}),
    "helm-controller": frozenset({"klipper-helm"}),
    "local-storage": frozenset({"library-busybox", "local-path-provisioner"}),
    "metrics-server": frozenset({"metrics-server"}),
    "runtimes": frozenset(),
    "servicelb": frozenset({"klipper-lb"}),
    "traefik": frozenset({"library-traefik"}),
}
"""The names of the images that only one component needs.

``helm-controller`` is not for ``--disable`` of K3s, but for its ``--disable-helm-controller``.
Charts other than traefik's need it, so it is not left out with traefik.
"""

_MIRRORED = "mirrored-"
"""Rancher's prefix for images of others; until 2021 they went without."""


class ComponentUnknown(ValueError):
    """K3s has no such component; the text names those that it has."""


def parse_components(texts: Iterable[str]) -> frozenset[str]:
    """Read components as K3s takes them: several, or divided by commas.

    Raises:
        ComponentUnknown: One is none.
    """
    found = {name for text in texts for name in map(str.strip, text.split(",")) if name}
    unknown = sorted(found - COMPONENTS.keys())
    if unknown:
        raise ComponentUnknown(
            f"{unknown[0][:80]!r} is no component of K3s that can be left out: "
            f"these are {', '.join(COMPONENTS)}"
        )
    return frozenset(found)


def without_components(
    images: Iterable[WantedImage], disabled: Iterable[str]
) -> list[WantedImage]:
    """Leave out what only components need that a node does without."""
    unneeded = {name for component in disabled for name in COMPONENTS[component]}
    return [wanted for wanted in images if _name(wanted) not in unneeded]


def _name(wanted: WantedImage) -> str:
    return wanted.image.repository.rpartition("/")[2].removeprefix(_MIRRORED)
