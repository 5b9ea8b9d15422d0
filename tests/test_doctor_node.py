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
        """A socket that nobody opens at boot refuses the first pulls."""
        self.node.remove(f"{_UNITS}/sockets.target.wants/minreg.socket")
        self.assert_found(
            (
                "unit-disabled",
                _SOCKET,
                "it is not started at boot: the first pulls are refused",
                "systemctl enable --now minreg.socket",
            )
        )

    def test_masked(self) -> None:
        """So does one that is masked."""
        self.node.remove(_SOCKET)
        self.node.link(_SOCKET, "/dev/null")
        self.assertIn(
            ("unit-disabled", "systemctl unmask minreg.socket, and enable it"),
            [(found.rule.id, found.fix) for found in self.node.diagnose()],
        )

    def test_no_service(self) -> None:
        """A socket without its service has nobody who would answer, be it masked or deleted."""
        service = f"{_UNITS}/minreg.service"
        self.node.remove(service)
        self.assert_found(
            (
                "unit-disabled",
                service,
                "minreg.socket is for this service, which is not there: nobody answers a pull",
                "minreg node install --start",
            )
        )
        self.node.link(service, "/dev/null")
        problem = "it is masked, and cannot be started"
        fix = "systemctl unmask minreg.service, and enable it"
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
                    "http://127.0.0.1:9080 is where minreg listens, and minreg's units are not on "
                    "this node"
                ),
                "minreg node install --start",
            )
        )

    def test_rule_unit_order(self) -> None:
        """K3s under another name has to be told of."""
        self.node.write(f"{_UNITS}/k3s-edge.service", self.node.read(SERVICE))
        self.node.remove(SERVICE)
        self.node.remove(f"{_UNITS}/multi-user.target.wants/k3s.service")
        self.assert_found(
            (
                "unit-order",
                f"{_UNITS}/minreg.service",
                "nothing has k3s-edge.service wait for it: its first pulls may fail",
                "systemctl edit minreg: below [Unit], Before=k3s-edge.service",
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
            ("unit-order", "it is started after k3s.service, whose first pulls fail"),
        )

    def test_rule_unit_line(self) -> None:
        """k3s-io/k3s#10364: options behind a missing backslash are not K3s'."""
        self.node.replace(SERVICE, "server \\\n", "server\n")
        self.assert_found(
            (
                "unit-line",
                f"{SERVICE}:16",
                "systemd ignores \"'--disable=traefik'\", as it is no NAME=VALUE",
                "end the line before it with a backslash, if it goes on here; or remove it",
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
                "let it listen on another one, such as 9080",
            ),
            [(f.rule.id, f.path, f.line, f.problem, f.fix) for f in self.node.diagnose()],
        )

    def test_told_port(self) -> None:
        """So is a port that K3s is told to listen on, in its file or on its command line."""
        config = self.node.read(CONFIG)
        found = (
            "K3s is told to listen on port 9080, and minreg listens there",
            "let one of the two listen elsewhere",
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
                        "this node has no default route, and K3s does not start, or its services "
                        "cannot be reached"
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
                    "java listens on port 9080: minreg cannot",
                    "stop java, or let one of the two listen elsewhere",
                )
            ],
        )

    def test_ports(self) -> None:
        """It is held for minreg by systemd; another port, or one unseen, is nobody's business."""
        for listener in (
            ListeningPort("127.0.0.1", 9080, "systemd"),
            ListeningPort("127.0.0.1", 9081, "java"),
            ListeningPort("127.0.0.2", 9080, "java"),
            ListeningPort("127.0.0.1", 9080),
        ):
            kernel = Kernel(has_default_route=True, listeners=(listener,))
            self.assertEqual(self.found(kernel), [], listener)
