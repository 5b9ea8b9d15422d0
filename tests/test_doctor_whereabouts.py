"""Tests for the doctor's rules about endpoints that lead past the registry, and about links."""

from minreg.defaults import DEFAULT_ROOT
from minreg.k3s.doctor.findings import LineRemoval
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import CONFIG, REGISTRIES

_SOCKET = "/etc/systemd/system/minreg.socket"


class WhereaboutsTests(RulesTestCase):
    """Tests for endpoints that lead past minreg, a golden one first."""

    def test_rule_endpoint_elsewhere(self) -> None:
        """An endpoint with a port on which minreg does not listen is reported."""
        self.set_registries(MIRRORS.replace("9080", "9800"))
        self.assert_found(
            (
                "endpoint-elsewhere",
                f"{REGISTRIES}:4",
                (
                    "http://127.0.0.1:9800 is on this node, but minreg listens on "
                    "http://127.0.0.1:9080: it is never asked"
                ),
                "write http://127.0.0.1:9080",
            )
        )

    def test_other_addresses(self) -> None:
        """Another address of the node is reported, and fixed in each mirror."""
        self.set_registries(
            f"{MIRRORS.replace('127.0.0.1', '127.0.0.2')}  quay.io:\n"
            '    endpoint: ["http://[::1]:9080"]\n'
        )
        (finding,) = self.node.diagnose()
        self.assertEqual((finding.rule.id, finding.line), ("endpoint-elsewhere", 4))
        self.assertEqual(len(finding.changes), 2)

    def test_elsewhere(self) -> None:
        """Endpoints may lead to others as well, or to others alone, if these are elsewhere."""
        other = '      - "http://127.0.0.1:5000"\n      - '
        self.set_registries(MIRRORS.replace("      - ", other))
        self.assert_found()
        for registries in (
            MIRRORS.replace("127.0.0.1", "192.0.2.1"),
            MIRRORS.replace("http://127.0.0.1:9080", "ftp://127.0.0.1:9081"),
            'mirrors: {"*": {}}\n',
            "",
        ):
            self.set_registries(registries)
            found = [one.rule.id for one in self.node.diagnose()]
            self.assertNotIn("endpoint-elsewhere", found, registries)

    def test_everywhere(self) -> None:
        """A registry that listens everywhere is at each address of the node."""
        self.node.replace(_SOCKET, "127.0.0.1:9080", "9080")
        self.set_registries(MIRRORS.replace("127.0.0.1", "127.0.0.2"))
        self.assert_found()


class DefaultEndpointTests(RulesTestCase):
    """Tests for taking out an endpoint that would be asked anyway."""

    def test_removal(self) -> None:
        """A line goes only if there is nothing else on it."""
        self.node.write(CONFIG, "")
        ours, itself = '"http://127.0.0.1:9080"', '"https://registry-1.docker.io"'
        line = (LineRemoval(REGISTRIES, 5),)
        for endpoints, changes in (
            (f"\n      - {ours}\n      - {itself} # as ever", line),
            (f"\n      - {ours}\n      - &it {itself}", ()),
            (f"\n      [{ours},\n      {itself}]", ()),
            (f" [{ours},\n\n    {itself}]", ()),
            (f" [\n      {ours}, {itself}]", ()),
            (f" [{ours}, {itself}]", ()),
        ):
            self.set_registries(f"mirrors:\n  docker.io:\n    endpoint:{endpoints}\n")
            (found,) = self.node.diagnose()
            self.assertEqual(found.rule.id, "endpoint-default")
            self.assertEqual(found.changes, changes, endpoints)
            fix = "remove this line" if changes else f"remove {itself[1:-1]} from the list"
            self.assertEqual(found.fix, fix)

    def test_wanted(self) -> None:
        """It stays where another finding has it switched off for all that do not name it."""
        self.node.replace(CONFIG, "endpoint: true", "endpoint: false")
        itself = "https://registry-1.docker.io"
        self.set_registries(f"{MIRRORS}  docker.io:\n    endpoint: [{itself}]\n")
        self.assertEqual([one.rule.id for one in self.node.diagnose()], ["default-endpoint"])


class TreeWhereaboutsTests(RulesTestCase):
    """Tests for trees that are not where they should be."""

    def test_circle(self) -> None:
        """A link that leads to itself leads to no tree."""
        self.node.remove(DEFAULT_ROOT)
        self.node.link(DEFAULT_ROOT, DEFAULT_ROOT)
        self.assertEqual([one.rule.id for one in self.node.diagnose()], ["root-missing"])
