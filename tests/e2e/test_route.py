"""Tests for the default route that K3s needs, in a separate network with a real systemd."""

from ipaddress import ip_interface

from minreg.k3s.doctor.procfs import has_default_route
from tests.e2e.programs import ProgramFailed, run
from tests.e2e.systemd import Systemd
from tests.e2e.units import UnitsTestCase

_ROUTE = "minreg-route.service"


class RouteTests(UnitsTestCase):
    """Tests for ``minreg-route.service``."""

    def setUp(self) -> None:
        """Boot without a network."""
        super().setUp()
        self.need_programs("ip")
        self.kind = "dummy" if _can_make("dummy") else "bridge"
        # Not every kernel that tests run on has dummy interfaces; all that K3s runs on do.
        self.rewrite(_ROUTE, "type dummy", f"type {self.kind}")
        # Nor has anybody the time to wait as long as a node may.
        self.rewrite(_ROUTE, "sleep 5", "sleep 0.2")
        self.rewrite(_ROUTE, "RestartSec=5", "RestartSec=200ms")
        self.systemd = self.boot(alone=True)
        self.assertEqual(self.routes(), [])

    def routes(self) -> list[str]:
        """Return the default routes."""
        return self.systemd.run("ip", "-4", "route", "show", "default").splitlines()

    def state(self) -> str:
        """Return the state of the unit."""
        return self.systemd.show(_ROUTE, "ActiveState")["ActiveState"]

    def table(self, systemd: Systemd) -> str:
        """Write the kernel's table of routes, as K3s reads it, to a file."""
        path = str(self.mktemp())
        with open(path, "w", encoding="ascii") as file:
            file.write(systemd.run("cat", "/proc/net/route"))
        return path

    def test_none(self) -> None:
        """A node without a default route gets one, which is removed when the unit stops."""
        self.assertFalse(has_default_route(self.table(self.systemd)))
        self.systemd.control("start", _ROUTE)
        (route,) = self.routes()
        self.assertTrue(
            route.startswith("default via 203.0.113.255 dev minreg0 metric 65535"), route
        )
        self.assertTrue(has_default_route(self.table(self.systemd)))
        self.systemd.control("stop", _ROUTE)
        self.assertEqual(self.routes(), [])
        # What is restarted, or started twice, is in nobody's way.
        self.systemd.control("restart", _ROUTE)
        self.systemd.control("start", _ROUTE)
        self.assertEqual(len(self.routes()), 1)

    def test_address(self) -> None:
        """K3s accepts the address as the node's (``IP.IsGlobalUnicast`` of Go)."""
        self.systemd.control("start", _ROUTE)
        shown = self.systemd.run("ip", "-4", "-oneline", "address", "show", "dev", "minreg0")
        address = ip_interface(shown.split()[3]).ip
        self.assertFalse(
            address.is_link_local
            or address.is_loopback
            or address.is_multicast
            or address.is_unspecified,
            address,
        )

    def test_some(self) -> None:
        """If there is a default route, none is added."""
        for command in (
            f"ip link add lan type {self.kind}",
            "ip address add 192.0.2.1/24 dev lan",
            "ip link set lan up",
            "ip route add default via 192.0.2.254 metric 100000",
        ):
            self.systemd.run(*command.split())
        self.systemd.control("start", _ROUTE)
        (route,) = self.routes()
        self.assertIn("dev lan", route)
        self.assertEqual(self.state(), "inactive")

    def test_set_down(self) -> None:
        """If the interface is set down and up again, the route is restored."""
        self.systemd.control("start", _ROUTE)
        for state in ("down", "up"):
            self.systemd.run("ip", "link", "set", "minreg0", state)
        self.wait_until(lambda: len(self.routes()) == 1 and self.state() == "active")

    def test_removed(self) -> None:
        """If the interface is removed, it is created again."""
        self.systemd.control("start", _ROUTE)
        self.systemd.run("ip", "link", "delete", "minreg0")
        self.wait_until(lambda: len(self.routes()) == 1)

    def test_left_over(self) -> None:
        """An interface that an earlier run left, or a part of it, is not an obstacle."""
        self.systemd.run("ip", "link", "add", "minreg0", "type", self.kind)
        self.systemd.run("ip", "address", "add", "203.0.113.254/31", "dev", "minreg0")
        self.systemd.control("start", _ROUTE)
        self.assertEqual(len(self.routes()), 1)

    def test_boot(self) -> None:
        """Once enabled, the route is created at each boot, before K3s starts."""
        self.systemd.stop()
        self.enable_route()
        for _ in range(2):
            self.systemd = self.boot(alone=True)
            self.wait_until(lambda: self.state() == "active")
            self.assertEqual(len(self.routes()), 1)
            self.assertIn("k3s.service", self.systemd.show(_ROUTE, "Before")["Before"].split())
            self.systemd.stop()


def _can_make(kind: str) -> bool:
    """Return whether the kernel has interfaces of a kind."""
    try:
        run("unshare", "--net", "ip", "link", "add", "probe", "type", kind)
    except ProgramFailed:
        return False
    return True
