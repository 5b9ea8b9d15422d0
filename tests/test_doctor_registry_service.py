"""Tests for ``minreg.k3s.doctor.registry_service``."""

from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.registry_service import InstalledRegistry, inspect_registry_service
from tests.doctor_support import RulesTestCase

_OPTIONS = "/etc/systemd/system/minreg.service.d/options.conf"


class RegistryServiceTests(RulesTestCase):
    """Tests for ``inspect_registry_service``."""

    def look(self) -> InstalledRegistry:
        """Look at minreg's units."""
        return inspect_registry_service(NodeFiles(self.node.prefix))

    def set_options(self, options: str) -> None:
        """Start minreg with more options."""
        self.node.write(_OPTIONS, f'[Service]\nEnvironment="MINREG_OPTIONS={options}"\n')

    def addresses(self) -> list[tuple[str, str, bool]]:
        """Name the addresses that minreg listens on."""
        return [(one.host, one.port, one.is_tls) for one in self.look().addresses]

    def test_installed(self) -> None:
        """What ``minreg node install`` writes is understood."""
        registry = self.look()
        self.assertEqual(registry.root, "/var/lib/rancher/k3s/server/registry")
        self.assertEqual(self.addresses(), [("127.0.0.1", "9080", False)])
        self.assertEqual(registry.aliases, {"bootstrap-registry.airgap": "docker.io"})

    def test_options(self) -> None:
        """Options from drop-ins are used too."""
        self.set_options(
            "--root=/srv/registry --registry-alias a.example=quay.io --registry-alias nonsense "
            "--listen tcp:5000 --listen ssl:9443:interface=\\\\:\\\\:1 --listen unix:/run/a "
            "--allow-links-to /srv/blobs"
        )
        registry = self.look()
        self.assertEqual(registry.root, "/srv/registry")
        self.assertEqual(
            registry.aliases, {"bootstrap-registry.airgap": "docker.io", "a.example": "quay.io"}
        )
        self.assertEqual(registry.links, ["/srv/blobs"])
        self.assertEqual(
            self.addresses(),
            [("127.0.0.1", "9080", False), ("", "5000", False), ("::1", "9443", True)],
        )

    def test_environment(self) -> None:
        """Options may be variables, in the file that the unit reads; the command line wins."""
        self.node.write(
            "/etc/default/minreg",
            "MINREG_ROOT=/srv/other\nMINREG_PORT=5000\nMINREG_LISTEN=tcp:5001\n"
            "MINREG_REGISTRY_ALIAS='a.example=quay.io b.example=ghcr.io'\n"
            "MINREG_ALLOW_LINKS_TO=/srv/blobs\n",
        )
        registry = self.look()
        self.assertEqual(registry.root, "/var/lib/rancher/k3s/server/registry")
        self.assertEqual(self.addresses(), [("127.0.0.1", "9080", False)])
        self.assertEqual(
            list(registry.aliases), ["bootstrap-registry.airgap", "a.example", "b.example"]
        )
        self.assertEqual(registry.links, ["/srv/blobs"])
        service = "/etc/systemd/system/minreg.service"
        self.node.replace(service, "--listen systemd", "")
        self.node.replace(service, "--root /var/lib/rancher/k3s/server/registry", "")
        self.assertEqual(self.look().root, "/srv/other")
        self.assertEqual(self.addresses(), [("", "5001", False)])

    def test_port(self) -> None:
        """A service without a socket has a port and an interface."""
        self.node.remove("/etc/systemd/system/minreg.socket")
        service = "/etc/systemd/system/minreg.service"
        self.node.replace(service, "--listen systemd", "-p 5000 -i 0.0.0.0")
        self.assertEqual(self.addresses(), [("", "5000", False)])
        self.node.replace(service, "-p 5000 -i 0.0.0.0", "")
        self.assertEqual(self.addresses(), [("127.0.0.1", "9080", False)])

    def test_sockets(self) -> None:
        """A socket may be one of all addresses, of IPv6, or of a file."""
        self.node.write(
            "/etc/systemd/system/minreg.socket.d/a.conf",
            "[Socket]\nListenStream=\nListenStream=9081\nListenStream=[::1]:9082\n"
            "ListenStream=/run/minreg.sock\nListenStream=0.0.0.0:9083\nListenStream=vsock::9080\n",
        )
        self.assertEqual(
            self.addresses(),
            [("", "9081", False), ("::1", "9082", False), ("", "9083", False)],
        )

    def test_endpoints(self) -> None:
        """An endpoint leads here by any name of this node that listens."""
        for host, leads_here in (
            ("127.0.0.1:9080", True),
            ("localhost:9080", True),
            ("127.0.0.1:9081", False),
            ("127.0.0.2:9080", False),
            ("[::1]:9080", False),
            ("192.0.2.1:9080", False),
            ("127.0.0.1", False),
        ):
            self.assertIs(self.look().address_for(host) is not None, leads_here, host)

    def test_everywhere(self) -> None:
        """A registry that listens on all addresses is reached by every loopback address."""
        socket = "/etc/systemd/system/minreg.socket"
        self.node.replace(socket, "127.0.0.1:9080", "9080")
        for host in ("127.0.0.2:9080", "[::1]:9080", "localhost:9080"):
            self.assertIsNotNone(self.look().address_for(host), host)
        self.node.replace(socket, "=9080", "=[::1]:9080")
        self.assertEqual([one.url for one in self.look().addresses], ["http://[::1]:9080"])
        self.assertIsNotNone(self.look().address_for("localhost:9080"))

    def test_socket_alone(self) -> None:
        """A service that runs something else is none, and its socket is there all the same."""
        self.node.replace("/etc/systemd/system/minreg.service", "/minreg serve ", "/other serve ")
        registry = self.look()
        self.assertIsNone(registry.service)
        self.assertTrue(registry.is_installed)
        self.assertEqual(self.addresses(), [("127.0.0.1", "9080", False)])

    def test_nothing(self) -> None:
        """Where there is nothing, nothing is found."""
        self.node.remove("/etc/systemd")
        self.assertFalse(self.look().is_installed)
        self.assertEqual(self.addresses(), [])
