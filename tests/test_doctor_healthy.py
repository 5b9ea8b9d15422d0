"""Tests that the doctor leaves healthy nodes alone."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.findings import Edit
from minreg.k3s.doctor.image_resolution import resolve_images
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.patches import make_patch
from minreg.k3s.doctor.services import RKE2
from tests.doctor_support import MIRRORS
from tests.nodes import CONFIG, SERVICE, NodeBuilder, make_healthy_node

_RKE2 = """\
[Unit]
After=network-online.target

[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/rke2 server
"""
_AIR_GAP = (
    "system-default-registry: bootstrap-registry.airgap\ndisable-default-registry-endpoint: true\n"
)


class HealthyTests(SynchronousTestCase):
    """Tests for ``diagnose`` where nothing is wrong."""

    def test_healthy(self) -> None:
        """A node that was set up as docs/node.md says has no finding."""
        node = make_healthy_node(self.mktemp())
        self.assertEqual(node.diagnose(), [])

    def test_rke2(self) -> None:
        """A healthy RKE2 node has no findings, even with files of K3s."""
        node = NodeBuilder(self.mktemp())
        node.install_minreg()
        node.write("/usr/local/lib/systemd/system/rke2-server.service", _RKE2)
        node.write(
            "/etc/rancher/rke2/config.yaml.d/10-air-gap.yaml",
            _AIR_GAP,
        )
        node.write("/etc/rancher/rke2/registries.yaml", MIRRORS)
        self.assertEqual(node.diagnose(), [])
        (setup,) = node.look().setups
        self.assertEqual(setup.distribution, RKE2)

    def test_rke2_with_path(self) -> None:
        """RKE2 refuses a system-default-registry with a path, which K3s accepts."""
        node = NodeBuilder(self.mktemp())
        node.install_minreg()
        node.write("/usr/local/lib/systemd/system/rke2-server.service", _RKE2)
        path = "/etc/rancher/rke2/config.yaml"
        node.write(path, _AIR_GAP.replace(".airgap", ".airgap/test"))
        node.write("/etc/rancher/rke2/registries.yaml", MIRRORS)
        (found,) = node.diagnose()
        host = "bootstrap-registry.airgap"
        self.assertEqual(
            (found.rule.id, found.path, found.line, found.problem, found.fix),
            (
                "system-default-registry",
                path,
                1,
                (
                    f"RKE2 does not start with {host}/test: registries must be valid RFC 3986 URI "
                    "authorities, which have no path"
                ),
                (
                    f"write {host}; if the images there are below test/, add to its mirror: "
                    'rewrite: {"^(.*)$": "test/$1"}'
                ),
            ),
        )
        (change,) = found.changes
        self.assertIsInstance(change, Edit)
        patch = make_patch(NodeFiles(node.prefix), found.changes)
        self.assertIn(f"+system-default-registry: {host}", patch.lines)

    def test_agent(self) -> None:
        """The pause image of an agent is the one in its containerd configuration."""
        node = make_healthy_node(self.mktemp())
        node.replace(SERVICE, "server \\", "agent \\")
        node.write(CONFIG, "disable-default-registry-endpoint: true\n")
        node.restart_k3s()
        self.assertEqual(node.diagnose(), [])
        state = node.look()
        (answer,) = resolve_images(state, state.setups[0])
        self.assertEqual(answer.required.image.host, "bootstrap-registry.airgap")

    def test_bare(self) -> None:
        """Before K3s is there, a node with minreg is as it should be, its settings included."""
        node = NodeBuilder(self.mktemp())
        node.install_minreg()
        self.assertEqual(node.diagnose(), [])
        node.remove("/etc/rancher/k3s/config.yaml.d/10-minreg.yaml")
        self.assertEqual(
            {found.rule.id for found in node.diagnose()}, {"default-endpoint", "pause-image"}
        )
        node.write(CONFIG, _AIR_GAP)
        self.assertEqual(node.diagnose(), [])

    def test_others(self) -> None:
        """K3s without minreg, on a node with a network, has no findings."""
        node = NodeBuilder(self.mktemp())
        node.write(SERVICE, "[Service]\nExecStart=/usr/local/bin/k3s server\n")
        self.assertEqual(node.diagnose(), [])
