"""Tests for the doctor's rules about units, routes and ports."""

import attrs

from minreg.k3s.doctor.diagnosis import diagnose
from minreg.k3s.doctor.procfs import Kernel, ListeningPort
from tests.doctor_support import RulesTestCase
from tests.nodes import CONFIG, REGISTRIES, SERVICE

_UNITS = "/etc/systemd/system"
_SOCKET = f"{_UNITS}/minreg.socket"


class UnitRulesTests(RulesTestCase):
    """Tests for the rules about units, a golden one for each."""

    def test_rule_unit_disabled(self) -> None:
        """If the socket is not opened at boot, the first pulls fail."""
        self.node.remove(f"{_UNITS}/sockets.target.wants/minreg.socket")
        self.assert_found(
            (
                "unit-disabled",
                _SOCKET,
                "the unit is not started at boot: the first pulls will fail",
                "systemctl enable --now minreg.socket",
            )
        )

    def test_masked(self) -> None:
        """A masked socket is reported."""
        self.node.remove(_SOCKET)
        self.node.link(_SOCKET, "/dev/null")
        self.assertIn(
            (
                "unit-disabled",
                "systemctl unmask minreg.socket && systemctl enable --now minreg.socket",
            ),
            [(found.rule.id, found.fix) for found in self.node.diagnose()],
        )

    def test_no_service(self) -> None:
        """A socket whose service is masked or deleted is reported."""
        service = f"{_UNITS}/minreg.service"
        self.node.remove(service)
        self.assert_found(
            (
                "unit-disabled",
                service,
                "minreg.socket is installed, but this service is not: each pull fails",
                "minreg node install --start",
            )
        )
        self.node.link(service, "/dev/null")
        problem = "the unit is masked, and cannot be started"
        fix = "systemctl unmask minreg.service && systemctl enable --now minreg.service"
        self.assert_found(("unit-disabled", service, problem, fix))
        self.node.remove(_SOCKET)
        self.assert_found(("unit-disabled", service, problem, fix))

    def test_not_installed(self) -> None:
        """Where K3s is sent to minreg, there is a minreg."""
        for path in (_SOCKET, f"{_UNITS}/minreg.service"):
            self.node.remove(path)
        self.assert_found(
            (
                "unit-disabled",
                f"{_UNITS}/minreg.service",
                (
                    "http://127.0.0.1:9080 is minreg's default address, but minreg's units are "
                    "not installed on this node: each pull fails, unless another registry "
                    "listens there"
                ),
                "minreg node install --start",
            )
        )

    def test_rule_unit_order(self) -> None:
        """K3s with another service name does not wait for minreg."""
        self.node.write(f"{_UNITS}/k3s-edge.service", self.node.read(SERVICE))
        self.node.remove(SERVICE)
        self.node.remove(f"{_UNITS}/multi-user.target.wants/k3s.service")
        self.assert_found(
            (
                "unit-order",
                f"{_UNITS}/minreg.service",
                "k3s-edge.service does not wait for minreg: its first pulls may fail",
                "systemctl edit minreg, and add Before=k3s-edge.service below [Unit]",
            )
        )
        drop_in = f"{_UNITS}/minreg.service.d/override.conf"
        self.node.write(drop_in, "[Unit]\nBefore=k3s-edge.service\n")
        self.assert_nothing_found()

    def test_wrong_order(self) -> None:
        """A registry that waits for K3s is worse than one that does not."""
        self.node.write(f"{_UNITS}/minreg.service.d/a.conf", "[Unit]\nAfter=k3s.service\n")
        (found,) = self.node.diagnose()
        self.assertEqual(
            (found.rule.id, found.problem),
            ("unit-order", "minreg is started after k3s.service, whose first pulls will fail"),
        )

    def test_rule_unit_line(self) -> None:
        """k3s-io/k3s#10364: options behind a missing backslash are not K3s'."""
        self.node.replace(SERVICE, "server \\\n", "server\n")
        self.assert_found(
            (
                "unit-line",
                f"{SERVICE}:16",
                "systemd ignores \"'--disable=traefik'\", which is not NAME=VALUE",
                (
                    "end the line before with a backslash, if this continues it; or remove "
                    "this line"
                ),
            )
        )

    def test_rule_port_of_k3s(self) -> None:
        """The API server's port is none for a registry."""
        self.listen("127.0.0.1:6443")
        self.assertIn(
            (
                "port-of-k3s",
                f"{_SOCKET}.d/port.conf",
                3,
                (
                    "minreg listens on port 6443, which K3s needs for the API server and the "
                    "embedded registry"
                ),
                "let minreg listen on another port, such as 9080",
            ),
            [(f.rule.id, f.path, f.line, f.problem, f.fix) for f in self.node.diagnose()],
        )

    def test_told_port(self) -> None:
        """A port that K3s is configured for, in its file or on its command line, is reported."""
        config = self.node.read(CONFIG)
        found = (
            "K3s is configured for port 9080, on which minreg listens",
            "change the port of one of them",
        )
        self.node.write(CONFIG, f"{config}https-listen-port: 9080\n")
        self.node.restart_k3s()
        self.assert_found(("port-of-k3s", f"{CONFIG}:3", *found))
        self.node.write(CONFIG, config)
        self.node.replace(SERVICE, "=traefik'", "=traefik' --https-listen-port 9080")
        self.node.restart_k3s()
        self.assert_found(("port-of-k3s", f"{SERVICE}:14", *found))
        self.node.replace(SERVICE, "server", "agent")
        self.node.restart_k3s()
        self.assertNotIn("port-of-k3s", [found.rule.id for found in self.node.diagnose()])

    def test_embedded_registry(self) -> None:
        """The embedded registry's port is, where there is none."""
        self.listen("127.0.0.1:5001")
        self.assert_nothing_found()
        self.node.write(f"{CONFIG}.d/a.yaml", "embedded-registry: true\n")
        self.node.restart_k3s()
        (found,) = self.node.diagnose()
        self.assertEqual(found.rule.id, "port-of-k3s")
        self.assertIn("which K3s needs for the embedded registry", found.problem)

    def listen(self, address: str) -> None:
        """Have minreg listen elsewhere, and K3s know of it."""
        text = f"[Socket]\nListenStream=\nListenStream={address}\n"
        self.node.write(f"{_SOCKET}.d/port.conf", text)
        self.node.replace(REGISTRIES, "127.0.0.1:9080", address)
        self.node.restart_k3s()


class KernelRulesTests(RulesTestCase):
    """Tests for the rules about the running system, a golden one for each."""

    def found(self, kernel: Kernel) -> list[tuple[str, str, str, str]]:
        """Find what is wrong with the node where the kernel says this."""
        node = attrs.evolve(self.node.look(), kernel=kernel)
        return [(f.rule.id, f.path, f.problem, f.fix) for f in diagnose(node)]

    def test_rule_default_route(self) -> None:
        """k3s-io/k3s#1144: K3s does not start without a default route."""
        self.assertEqual(
            self.found(Kernel(has_default_route=False)),
            [
                (
                    "default-route",
                    "/proc/net/route",
                    (
                        "this node has no default route: K3s does not start, or its services "
                        "are not reachable"
                    ),
                    "minreg node install --start --route",
                )
            ],
        )
        self.assertEqual(self.found(Kernel(has_default_route=True)), [])

    def test_rule_port_taken(self) -> None:
        """Another program on minreg's port keeps minreg from it."""
        kernel = Kernel(True, (ListeningPort("0.0.0.0", 9080, "java"),))  # noqa: FBT003, S104
        self.assertEqual(
            self.found(kernel),
            [
                (
                    "port-taken",
                    _SOCKET,
                    "java listens on port 9080, so minreg cannot",
                    "stop java, or change the port of one of them",
                )
            ],
        )

    def test_ports(self) -> None:
        """A program on another port, and systemd on minreg's, are not reported."""
        for listener in (
            ListeningPort("127.0.0.1", 9080, "systemd"),
            ListeningPort("127.0.0.1", 9081, "java"),
            ListeningPort("127.0.0.2", 9080, "java"),
            ListeningPort("127.0.0.1", 9080),
        ):
            kernel = Kernel(has_default_route=True, listeners=(listener,))
            self.assertEqual(self.found(kernel), [], listener)
