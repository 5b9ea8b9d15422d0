"""Tests for ``minreg.node.k3s_files``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.registry_service import Address
from minreg.k3s.doctor.services import K3S, RKE2
from minreg.node.k3s_files import K3sFiles, find_k3s_files, make_document
from tests.nodes import CONFIG, SERVICE, NodeBuilder

_AGENT = "/etc/systemd/system/k3s-agent.service"
_SETTINGS = "/etc/rancher/k3s/config.yaml.d/10-minreg.yaml"


class FindTests(SynchronousTestCase):
    """Tests for ``find_k3s_files``."""

    def setUp(self) -> None:
        """Create a bare node."""
        self.node = NodeBuilder(self.mktemp())

    def find(self, *, is_agent: bool | None = None) -> K3sFiles:
        """Return the files of K3s."""
        return find_k3s_files(NodeFiles(self.node.prefix), K3S, is_agent=is_agent)

    def test_bare(self) -> None:
        """On a bare node, the files have their default paths."""
        files = self.find()
        self.assertEqual(files.registries_path, "/etc/rancher/k3s/registries.yaml")
        self.assertEqual(files.settings_path, _SETTINGS)
        self.assertFalse(files.is_agent)
        rke2 = find_k3s_files(NodeFiles(self.node.prefix), RKE2)
        self.assertEqual(rke2.registries_path, "/etc/rancher/rke2/registries.yaml")
        self.assertEqual(rke2.settings_path, "/etc/rancher/rke2/config.yaml.d/10-minreg.yaml")

    def test_told_elsewhere(self) -> None:
        """The paths are those that K3s is configured with."""
        self.node.write(CONFIG, "private-registry: /etc/mine.yaml\n")
        self.assertEqual(self.find().registries_path, "/etc/mine.yaml")
        self.node.install_k3s()
        self.node.replace(SERVICE, "server \\", "server --config=/etc/k3s.yaml \\")
        self.assertEqual(self.find().settings_path, "/etc/k3s.yaml.d/10-minreg.yaml")

    def test_agent(self) -> None:
        """The running service decides, then the option, then an earlier run."""
        self.assertTrue(self.find(is_agent=True).is_agent)
        self.node.write(_SETTINGS, self.find(is_agent=True).make_settings().stamped)
        self.assertTrue(self.find().is_agent)
        self.assertFalse(self.find(is_agent=False).is_agent)
        self.node.write(_AGENT, "[Service]\nExecStart=/usr/local/bin/k3s agent\n")
        self.assertTrue(self.find(is_agent=False).is_agent)

    def test_command_line(self) -> None:
        """Settings on the command line and in the environment count as set."""
        self.node.install_k3s()
        self.node.remove(CONFIG)
        self.node.replace(SERVICE, "server \\", "server --system-default-registry a.example \\")
        ((name, setting, wanted),) = self.find().differing()
        self.assertEqual((name, setting.text), ("system-default-registry", "a.example"))
        self.assertEqual(wanted, "bootstrap-registry.airgap")
        self.assertNotIn("system-default-registry:", self.find().make_settings().text)


class MakeDocumentTests(SynchronousTestCase):
    """Tests for ``make_document``."""

    def test_address(self) -> None:
        """An address on the loopback interface is preferred to others."""
        for addresses, url in (
            ((), "http://127.0.0.1:9080"),
            ((Address("192.0.2.1", "9080"), Address("127.0.0.1", "1")), "http://127.0.0.1:1"),
            ((Address("", "9081"),), "http://127.0.0.1:9081"),
            ((Address("192.0.2.1", "9443", is_tls=True),), "https://192.0.2.1:9443"),
        ):
            self.assertEqual(
                make_document(addresses),
                {"mirrors": {"bootstrap-registry.airgap": {"endpoint": [url]}}},
            )
