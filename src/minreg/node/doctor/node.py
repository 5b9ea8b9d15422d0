"""A node as it was found: a value that rules are asked about, and the look that makes it."""

import time
from collections.abc import Sequence

import attrs

from minreg.node.doctor.distributions import DISTRIBUTIONS
from minreg.node.doctor.files import CLOSED, NodeFiles
from minreg.node.doctor.kernel import Kernel, look_at_kernel
from minreg.node.doctor.machine import find_architecture
from minreg.node.doctor.registry_service import RegistryService, look_at_registry
from minreg.node.doctor.setup import Setup, look_at_setup
from minreg.node.doctor.tree import Tree, look_at_tree


@attrs.frozen
class Node:
    """All that was looked at.

    ``setups`` are the distributions that are there, ``registry`` is minreg's own service and
    ``tree`` what it serves, ``kernel`` what the running system says, None if the node is not
    running. ``architecture`` is empty if nobody can tell. ``now`` is the time of the look, in
    seconds since the epoch.
    """

    setups: Sequence[Setup] = ()
    registry: RegistryService = attrs.field(factory=RegistryService)
    tree: Tree | None = None
    root_exists: bool = False
    kernel: Kernel | None = None
    architecture: str = ""
    now: float = attrs.field(factory=time.time)

    @property
    def is_there(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.setups) or self.registry.is_installed or self.tree is not None


def look_at_node(files: NodeFiles) -> Node:
    """Look at everything; what could not be read is noted in ``files``."""
    found = [setup for one in DISTRIBUTIONS if (setup := look_at_setup(files, one))]
    # Of a distribution there may be no more than a file that somebody put there.
    installed = [setup for setup in found if setup.service is not None or setup.has_run]
    registry = look_at_registry(files)
    return Node(
        installed or found,
        registry,
        look_at_tree(files, registry),
        files.is_directory(registry.root) or files.unread.get(registry.root) == CLOSED,
        look_at_kernel() if files.is_live else None,
        find_architecture(files),
    )
