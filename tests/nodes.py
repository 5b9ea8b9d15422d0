"""Makes directories that stand for nodes, for tests of what looks at nodes."""

import os
import shutil
from collections.abc import Sequence

from minreg.defaults import DEFAULT_ROOT
from minreg.k3s.doctor.diagnosis import diagnose
from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.installation import K3sInstallation, inspect_installation
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.node_state import Node, inspect_node
from minreg.k3s.doctor.services import K3S
from minreg.node.install import Installation
from minreg.node.k3s_files import find_k3s_files
from minreg.node.units import make_links, make_units
from tests.filled_tree import FilledTree

CONTAINERD = "/var/lib/rancher/k3s/agent/etc/containerd"
REGISTRIES = "/etc/rancher/k3s/registries.yaml"
CONFIG = "/etc/rancher/k3s/config.yaml"
SERVICE = "/etc/systemd/system/k3s.service"
PAUSE = "rancher/mirrored-pause"
SERVICE_TEXT = """\
[Unit]
Description=Lightweight Kubernetes
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=notify
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/systemd/system/k3s.service.env
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/k3s \\
    server \\
\t'--disable=traefik' \\

"""
"""K3s' service, as its install script writes it."""

_PROGRAM = "/opt/minreg/bin/minreg"


class NodeBuilder:
    """A directory that stands for a node, and what can be done to it."""

    def __init__(self, prefix: str) -> None:
        self.prefix = os.path.abspath(prefix)
        os.makedirs(self.prefix)
        self.tree = FilledTree(self.place(DEFAULT_ROOT))

    def place(self, path: str) -> str:
        """Name the place of a path of the node."""
        return self.prefix + path

    def write(self, path: str, text: str | bytes) -> None:
        """Write a file of the node."""
        os.makedirs(os.path.dirname(self.place(path)), exist_ok=True)
        with open(self.place(path), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())

    def read(self, path: str) -> str:
        """Read a file of the node."""
        with open(self.place(path), encoding="utf-8") as file:
            return file.read()

    def replace(self, path: str, old: str, new: str) -> None:
        """Change a file of the node."""
        text = self.read(path)
        assert old in text, (old, text)
        self.write(path, text.replace(old, new))

    def remove(self, path: str) -> None:
        """Remove a file or a directory of the node."""
        place = self.place(path)
        if os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place)
        else:
            os.unlink(place)

    def link(self, path: str, target: str) -> None:
        """Make a link."""
        os.makedirs(os.path.dirname(self.place(path)), exist_ok=True)
        os.symlink(target, self.place(path))

    def install_k3s(self) -> None:
        """Put K3s there, as it is after its installation, for a node without a network."""
        self.write(SERVICE, SERVICE_TEXT)
        self.link("/etc/systemd/system/multi-user.target.wants/k3s.service", SERVICE)
        self.write(
            CONFIG,
            "system-default-registry: bootstrap-registry.airgap\n"
            "disable-default-registry-endpoint: true\n",
        )

    def install_minreg(self) -> None:
        """Put minreg there, with a tree that has K3s' pause image."""
        units = make_units(_PROGRAM, DEFAULT_ROOT)
        links = make_links(with_route=False)
        k3s = [find_k3s_files(NodeFiles(self.prefix), K3S)]
        steps = Installation(units, links, k3s, self.prefix).install()
        assert not any(step.is_left for step in steps)
        self.tree.add_image(PAUSE, "amd64", b"pause", tags=("3.6",))

    def restart_k3s(self) -> None:
        """Leave what K3s leaves when it starts."""
        self.remove(f"{CONTAINERD}/certs.d")
        self.start_k3s()

    def start_k3s(self) -> None:
        """Leave what K3s leaves when it starts for the first time."""
        os.makedirs(self.place(f"{CONTAINERD}/certs.d"))
        self.write(f"{CONTAINERD}/config.toml", _containerd_config())
        for name, text in self.setup.containerd().files.items():
            self.write(f"{CONTAINERD}/certs.d/{name}/hosts.toml", text)

    @property
    def setup(self) -> K3sInstallation:
        """K3s as it is set up."""
        setup = inspect_installation(NodeFiles(self.prefix), K3S)
        assert setup is not None
        return setup

    def look(self) -> Node:
        """Look at the node."""
        return inspect_node(NodeFiles(self.prefix))

    def diagnose(self) -> Sequence[Finding]:
        """Ask all rules."""
        return diagnose(self.look())


def make_healthy_node(prefix: str) -> NodeBuilder:
    """Make a node on which all is well: K3s, minreg, and a tree."""
    node = NodeBuilder(prefix)
    node.install_k3s()
    node.install_minreg()
    node.write("/usr/bin/env", elf(62))
    node.start_k3s()
    return node


def elf(machine: int) -> bytes:
    """Make the beginning of a program: its header, up to the machine that it is for."""
    return (
        b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + machine.to_bytes(2, "little") + bytes(44)
    )


def _containerd_config() -> str:
    pause = f"bootstrap-registry.airgap/{PAUSE}:3.6"
    return (
        "# File generated by k3s. DO NOT EDIT. Use config.toml.tmpl instead.\n"
        "version = 3\n"
        f'imports = ["{CONTAINERD}/config-v3.toml.d/*.toml"]\n'
        "[plugins.'io.containerd.cri.v1.images'.pinned_images]\n"
        f'  sandbox = "{pause}"\n'
        "[plugins.'io.containerd.cri.v1.images'.registry]\n"
        f'  config_path = "{CONTAINERD}/certs.d"\n'
    )
