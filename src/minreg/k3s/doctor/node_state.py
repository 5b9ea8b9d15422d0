"""Inspects a node, and returns its state for the rules to check."""

import time
from collections.abc import Sequence

import attrs

from minreg.k3s.doctor.installation import K3sInstallation, inspect_installation
from minreg.k3s.doctor.installed_tree import InstalledTree, inspect_tree
from minreg.k3s.doctor.node_files import CLOSED, NodeFiles
from minreg.k3s.doctor.procfs import Kernel, find_architecture, inspect_kernel
from minreg.k3s.doctor.registry_service import InstalledRegistry, inspect_registry_service
from minreg.k3s.doctor.services import DISTRIBUTIONS


@attrs.frozen
class Node:
    """The state of a node.

    ``setups`` are the installed distributions, ``registry`` is minreg's own service, and ``tree``
    the registry tree that it serves. ``kernel`` is None if the node is not running.
    ``architecture`` is empty if it is not known. ``now`` is the time of the inspection in seconds
    since the epoch.
    """

    setups: Sequence[K3sInstallation] = ()
    registry: InstalledRegistry = attrs.field(factory=InstalledRegistry)
    tree: InstalledTree | None = None
    root_exists: bool = False
    kernel: Kernel | None = None
    architecture: str = ""
    now: float = attrs.field(factory=time.time)

    @property
    def is_there(self) -> bool:
        """Whether the node has K3s, RKE2 or anything of minreg."""
        return bool(self.setups) or self.registry.is_installed or self.tree is not None


def inspect_node(files: NodeFiles) -> Node:
    """Inspect a node. ``files.unread`` has what could not be read."""
    setups = [
        setup
        for distribution in DISTRIBUTIONS
        if (setup := inspect_installation(files, distribution))
    ]
    # A directory of the other distribution may exist without it being installed.
    installed = [setup for setup in setups if setup.service is not None or setup.has_run]
    registry = inspect_registry_service(files)
    return Node(
        installed or setups,
        registry,
        inspect_tree(files, registry),
        files.is_directory(registry.root) or files.unread.get(registry.root) == CLOSED,
        inspect_kernel() if files.is_live else None,
        find_architecture(files),
    )
