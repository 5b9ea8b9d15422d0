"""Defaults that the command line names in its help, and the code below uses.

This module imports nothing, so that ``--help`` works whatever library is missing.
"""

DEFAULT_PORT = 9080
DEFAULT_INTERFACE = "127.0.0.1"
DEFAULT_ALIAS = "bootstrap-registry.airgap=docker.io"

MIRROR_NAME = DEFAULT_ALIAS.partition("=")[0]
"""The registry that K3s is told to have its own images from."""

ENDPOINT = f"http://{DEFAULT_INTERFACE}:{DEFAULT_PORT}"
"""Where the registry of a node listens."""

STATUS_SOCKET = "/run/minreg/status.sock"
"""The socket for status that the installed service has a directory for."""

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
"""What K3s can be told to leave out."""

SAMPLE_REPOSITORY = "minreg/sample"
SAMPLE_TAGS = ("1.0", "latest")
