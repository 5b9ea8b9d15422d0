"""A node as it was found: a value that rules are asked about, and the look that makes it."""

import time
from collections.abc import Sequence

import attrs

from minreg.k3s.doctor.files import CLOSED, NodeFiles
from minreg.k3s.doctor.installation import K3sInstallation, inspect_installation
from minreg.k3s.doctor.procfs import Kernel, find_architecture, inspect_kernel
from minreg.k3s.doctor.registry_service import InstalledRegistry, inspect_registry_service
from minreg.k3s.doctor.services import DISTRIBUTIONS
from minreg.k3s.doctor.tree import Tree, inspect_tree


@attrs.frozen
class Node:
    """All that was looked at.

    ``setups`` are the distributions that are there, ``registry`` is minreg's own service and
    ``tree`` what it serves, ``kernel`` what the running system says, None if the node is not
    running. ``architecture`` is empty if nobody can tell. ``now`` is the time of the look, in
    seconds since the epoch.
    """

    setups: Sequence[K3sInstallation] = ()
    registry: InstalledRegistry = attrs.field(factory=InstalledRegistry)
    tree: Tree | None = None
    root_exists: bool = False
    kernel: Kernel | None = None
    architecture: str = ""
    now: float = attrs.field(factory=time.time)

    @property
    def is_there(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.setups) or self.registry.is_installed or self.tree is not None


def inspect_node(files: NodeFiles) -> Node:
    """Look at everything; what could not be read is noted in ``files``."""
    found = [setup for one in DISTRIBUTIONS if (setup := inspect_installation(files, one))]
    # Of a distribution there may be no more than a file that somebody put there.
    installed = [setup for setup in found if setup.service is not None or setup.has_run]
    registry = inspect_registry_service(files)
    return Node(
        installed or found,
        registry,
        inspect_tree(files, registry),
        files.is_directory(registry.root) or files.unread.get(registry.root) == CLOSED,
        inspect_kernel() if files.is_live else None,
        find_architecture(files),
    )
