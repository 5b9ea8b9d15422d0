"""Tests for ``minreg.k3s.doctor.systemd_units`` and ``services``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.services import K3S, RKE2, find_service
from minreg.k3s.doctor.systemd_units import Unit, expand, find_unit, read_environment
from tests.nodes import NodeBuilder

_ETC = "/etc/systemd/system"
_LIB = "/usr/lib/systemd/system"


class SystemdTestCase(SynchronousTestCase):
    """A node without anything."""

    def setUp(self) -> None:
        """Make the node."""
        self.node = NodeBuilder(self.mktemp())
        self.files = NodeFiles(self.node.prefix)

    def unit(self, name: str = "a.service") -> Unit:
        """Find a unit that is there."""
        unit = find_unit(self.files, name)
        assert unit is not None
        return unit


class UnitTests(SystemdTestCase):
    """Tests for ``find_unit``."""

    def test_entries(self) -> None:
        """Comments, sections and lines that go on are read as systemd reads them."""
        self.node.write(
            f"{_ETC}/a.service",
            "# a comment \\\n[Unit]\nBefore = b.service \\\n; another\n  c.service\n"
            "[Service]\nExecStart=/bin/a \\\n\tx\\\n\n\nEnvironment=A=1\n",
        )
        unit = self.unit()
        self.assertEqual(unit.list_units("Unit", "Before"), {"b.service", "c.service"})
        self.assertEqual(unit.text("Service", "ExecStart").split(), ["/bin/a", "x"])
        self.assertEqual(unit.text("Service", "Environment"), "A=1")
        entry = unit.entry("Service", "ExecStart")
        assert entry is not None
        self.assertEqual((entry.path, entry.line), (f"{_ETC}/a.service", 7))
        self.assertEqual(unit.ignored_lines, [])

    def test_drop_ins(self) -> None:
        """Drop-ins count in the order of their names; an empty value takes back what was."""
        self.node.write(f"{_LIB}/a.service", "[Service]\nExecStart=/a\nType=notify\n")
        self.node.write(f"{_LIB}/a.service.d/b.conf", "[Service]\nExecStart=\nExecStart=/b\n")
        self.node.write(f"{_ETC}/a.service.d/a.conf", "[Service]\nExecStart=/c\n")
        self.node.write(f"{_ETC}/a.service.d/b.txt", "[Service]\nExecStart=/d\n")
        values = [entry.value for entry in self.unit().list_entries("Service", "ExecStart")]
        self.assertEqual(values, ["/b"])
        self.node.write(f"{_ETC}/a.service.d/b.conf", "[Service]\nType=simple\n")
        self.assertEqual(self.unit().text("Service", "ExecStart"), "/c")
        self.assertEqual(self.unit().text("Service", "Type"), "simple")

    def test_places(self) -> None:
        """What the administrator wrote counts before what a package brought."""
        self.node.write(f"{_LIB}/a.service", "[Service]\nType=notify\n")
        self.assertEqual(self.unit().path, f"{_LIB}/a.service")
        self.node.write(f"{_ETC}/a.service", "[Service]\nType=simple\n")
        self.assertEqual(self.unit().path, f"{_ETC}/a.service")
        self.assertIsNone(find_unit(self.files, "b.service"))

    def test_enabled(self) -> None:
        """A link of a target enables a unit, wherever that is; one to /dev/null masks it."""
        self.node.write(f"{_LIB}/a.service", "[Service]\n")
        self.assertFalse(self.unit().is_enabled)
        self.node.link(f"{_LIB}/x.target.wants/a.service", "../a.service")
        self.assertTrue(self.unit().is_enabled)
        self.node.link(f"{_ETC}/a.service", "/dev/null")
        self.assertTrue(self.unit().is_masked)
        self.assertFalse(self.unit().is_enabled)

    def test_strays(self) -> None:
        """Lines that are no assignment are kept apart."""
        self.node.write(f"{_ETC}/a.service", "x=1\n[Service]\nnothing\n'--a=b' \\\n\nX-Mine=1\n")
        strays = [(entry.line, entry.value) for entry in self.unit().ignored_lines]
        self.assertEqual(strays, [(1, "x=1"), (3, "nothing"), (4, "'--a=b'")])

    def test_environment(self) -> None:
        """Files count after what the unit says; specifiers and quotes are known."""
        self.node.write(
            f"{_ETC}/a.service",
            "[Service]\nEnvironment='A=1 2' B=3\nEnvironmentFile=-/etc/default/%N\n",
        )
        self.node.write("/etc/default/a", "# C=1\n\nB='4 5'\nnothing\nD=6 7\n")
        self.assertEqual(
            read_environment(self.files, self.unit()), {"A": "1 2", "B": "4 5", "D": "6 7"}
        )

    def test_expand(self) -> None:
        """A variable alone is taken apart; one in braces, or within a word, is not."""
        environment = {"A": "1 '2 3'", "B": "x"}
        self.assertEqual(
            expand(["$A", "${A}", "-$B-", "$C", "$$"], environment),
            ["1", "2 3", "1 '2 3'", "-x-", "$$"],
        )


class ServicesTests(SystemdTestCase):
    """Tests for ``find_service``."""

    def test_k3s(self) -> None:
        """K3s' own service is found, with its words."""
        self.node.install_k3s()
        service = find_service(self.files, K3S)
        assert service is not None
        self.assertEqual(service.arguments, ["server", "--disable=traefik"])
        self.assertFalse(service.is_agent)
        self.assertIsNone(find_service(self.files, RKE2))

    def test_rke2(self) -> None:
        """Of both services of RKE2, which come together, the enabled one counts."""
        for kind in ("server", "agent"):
            text = f"[Service]\nExecStart=-/usr/local/bin/rke2 {kind}\n"
            self.node.write(f"/usr/local/lib/systemd/system/rke2-{kind}.service", text)
        self.node.link(f"{_ETC}/multi-user.target.wants/rke2-agent.service", "/x")
        service = find_service(self.files, RKE2)
        assert service is not None
        self.assertTrue(service.is_agent)

    def test_others(self) -> None:
        """A service that runs another program is not minreg's."""
        self.node.write(f"{_ETC}/k3s-backup.service", "[Service]\nExecStart=/bin/tar c k3s\n")
        self.node.write(f"{_ETC}/k3s-x.service", '[Service]\nExecStart=/bin/k3s "server\n')
        service = find_service(self.files, K3S)
        assert service is not None
        self.assertEqual(service.unit.name, "k3s-x.service")
