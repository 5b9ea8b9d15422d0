"""Default values: paths, names and addresses that several parts of minreg agree upon.

This module imports nothing, so that ``--help`` works even if a library is missing.
"""

DEFAULT_PORT = 9080
DEFAULT_INTERFACE = "127.0.0.1"
DEFAULT_ALIAS = "bootstrap-registry.airgap=docker.io"

MIRROR_NAME = DEFAULT_ALIAS.partition("=")[0]
"""The registry of K3s' system images: its ``system-default-registry`` on nodes with minreg."""

ENDPOINT = f"http://{DEFAULT_INTERFACE}:{DEFAULT_PORT}"
"""The URL of the registry on a node."""

STATUS_SOCKET = "/run/minreg/status.sock"
"""The status socket of the installed service, if its ``--status-listen`` is set to that."""

LOCAL_TREE = "./registry"
DEFAULT_ROOT = "/var/lib/rancher/k3s/server/registry"
"""The registry tree of a K3s node."""

NODE_TREES = (DEFAULT_ROOT, "/var/lib/rancher/rke2/server/registry")
"""The registry trees of K3s and RKE2 nodes."""

SOCKET_UNIT = "minreg.socket"
SERVICE_UNIT = "minreg.service"

REGISTRIES = "/etc/rancher/k3s/registries.yaml"

WILDCARD = "*"
"""The mirror for all registries that have no entry of their own in ``registries.yaml``."""

CHANNEL_URL = "https://update.k3s.io/v1-release/channels"
RELEASE_URL = "https://github.com/k3s-io/k3s/releases/download"

DEFAULT_CONTROLLER = "rancher/system-upgrade-controller:v0.20.1"
DEFAULT_KUBECTL = "rancher/kubectl:v1.30.3"

COMPONENT_NAMES = (
    "coredns",
    "helm-controller",
    "local-storage",
    "metrics-server",
    "runtimes",
    "servicelb",
    "traefik",
)
"""The packaged components that K3s can disable."""

SAMPLE_REPOSITORY = "minreg/sample"
SAMPLE_TAGS = ("1.0", "latest")
