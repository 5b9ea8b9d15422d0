"""Paths, names and addresses that minreg's units and K3s' configuration agree upon."""

from minreg.settings import DEFAULT_INTERFACE, DEFAULT_PORT

DEFAULT_ROOT = "/var/lib/rancher/k3s/server/registry"
"""The registry tree on a node."""

ENDPOINT = f"http://{DEFAULT_INTERFACE}:{DEFAULT_PORT}"
"""The endpoint in ``registries.yaml`` that leads to minreg on the same node."""

SERVICE_UNIT = "minreg.service"
SOCKET_UNIT = "minreg.socket"

WILDCARD = "*"
"""The mirror for all registries that have no entry of their own in ``registries.yaml``."""
