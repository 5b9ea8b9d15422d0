"""Tests for ``minreg.k3s.doctor.procfs``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.procfs import has_default_route

_HEADING = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
_LAN = "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
_DEFAULT = "eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
_HALF = "tun0\t00000000\t0102000A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"


class HasDefaultRouteTests(SynchronousTestCase):
    """Tests for ``has_default_route``."""

    def is_found(self, table: str) -> bool:
        """Return whether a table of the kernel has the route."""
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write(table)
        return has_default_route(path)

    def test_table(self) -> None:
        """A default route covers all addresses; one that covers half of them is none."""
        self.assertTrue(self.is_found(_HEADING + _LAN + _DEFAULT))
        for without in (_HEADING, _HEADING + _LAN, _HEADING + _HALF, ""):
            self.assertFalse(self.is_found(without), without)

    def test_no_table(self) -> None:
        """Without IPv4, there is none."""
        self.assertFalse(has_default_route(self.mktemp()))
