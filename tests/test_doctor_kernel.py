"""Tests for ``minreg.k3s.doctor.procfs`` and ``machine``."""

import os
import platform

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.procfs import ListeningPort, find_architecture, inspect_kernel
from tests.nodes import NodeBuilder, elf

_ROUTE_HEADING = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
_LOCAL_6 = f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200 lo\n"
_DEFAULT_6 = f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 28} 00000400 1 0 00000003 eth0\n"
_HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid\n"


class KernelTests(SynchronousTestCase):
    """Tests for ``inspect_kernel``."""

    def setUp(self) -> None:
        """Make a directory that stands for /proc."""
        self.proc = os.path.abspath(self.mktemp())

    def write(self, name: str, text: str) -> None:
        """Write what the kernel says."""
        path = os.path.join(self.proc, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)

    def test_routes(self) -> None:
        """A default route may be one of IPv4 or of IPv6, but not the one that says no."""
        self.assertFalse(inspect_kernel(self.proc).has_default_route)
        self.write("net/route", _ROUTE_HEADING)
        self.write("net/ipv6_route", _LOCAL_6)
        self.assertFalse(inspect_kernel(self.proc).has_default_route)
        self.write("net/ipv6_route", _LOCAL_6 + _DEFAULT_6)
        self.assertTrue(inspect_kernel(self.proc).has_default_route)
        self.write("net/ipv6_route", "")
        self.write("net/route", f"{_ROUTE_HEADING}eth0\t00000000\t010000\t3\t0\t0\t0\t00000000\n")
        self.assertTrue(inspect_kernel(self.proc).has_default_route)

    def test_listeners(self) -> None:
        """The listening program is found by the socket that it has open."""
        four, six = "0100007F:2378", "00000000000000000000000001000000:2378"
        rest = "00:00000000 00000000     0        0"
        self.write(
            "net/tcp",
            f"{_HEADING}   0: {four} 00000000:0000 0A 00000000:00000000 {rest} 777 1\n"
            f"   1: {four} 0100007F:0000 01 00000000:00000000 {rest} 778 1\n",
        )
        self.write("net/tcp6", f"{_HEADING}   0: {six} {six} 0A 00000000:00000000 {rest} 779 1\n")
        os.makedirs(os.path.join(self.proc, "42/fd"))
        self.write("42/comm", "java\n")
        os.symlink("socket:[777]", os.path.join(self.proc, "42/fd/3"))
        os.symlink("/dev/null", os.path.join(self.proc, "42/fd/0"))
        self.assertEqual(
            inspect_kernel(self.proc).listeners,
            (ListeningPort("127.0.0.1", 9080, "java"), ListeningPort("::1", 9080)),
        )

    def test_live(self) -> None:
        """The running kernel can be asked."""
        inspect_kernel()


class MachineTests(SynchronousTestCase):
    """Tests for ``find_architecture``."""

    def test_image(self) -> None:
        """Of an image of a node, its programs tell, in either order of bytes."""
        node = NodeBuilder(self.mktemp())
        files = NodeFiles(node.prefix)
        self.assertEqual(find_architecture(files), "")
        for machine, name in ((62, "amd64"), (183, "arm64"), (40, "arm"), (1, "")):
            node.write("/bin/sh", elf(machine))
            self.assertEqual(find_architecture(files), name)
        node.write("/usr/bin/env", b"#!/bin/sh\n")
        node.write("/bin/sh", b"\x7fELF\x02\x02" + bytes(10) + b"\x00\x02\x00\x16" + bytes(4))
        self.assertEqual(find_architecture(files), "s390x")

    def test_program(self) -> None:
        """A program that runs on this machine tells what the machine is."""
        name = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
        if name is None:
            raise SkipTest(f"this test knows amd64 and arm64, not {platform.machine()}")
        node = NodeBuilder(self.mktemp())
        with open("/proc/self/exe", "rb") as program:
            node.write("/bin/sh", program.read(1024))
        self.assertEqual(find_architecture(NodeFiles(node.prefix)), name)
