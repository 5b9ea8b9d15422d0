"""Tests for what the doctor makes of tabs that indent."""

from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.patches import make_patch
from tests.doctor_support import RulesTestCase
from tests.nodes import CONFIG

_MIRROR = "mirrors:\n  bootstrap-registry.airgap:\n"
_ITEM = '- "http://127.0.0.1:9080"\n'


class TabsTests(RulesTestCase):
    """Tests for the changes of the rule ``tab``."""

    def added(self) -> list[str]:
        """Show what lines become, without what tells that they are new."""
        (found,) = self.node.diagnose()
        self.assertEqual(found.rule.id, "tab")
        lines = make_patch(NodeFiles(self.node.prefix), found.changes).lines
        return [line[1:] for line in lines if line.startswith("+") and line[1:2] == " "]

    def test_deeper(self) -> None:
        """A line comes to stand deeper than the key that it belongs to."""
        for lines, added in (
            (f"\tendpoint:\n\t\t{_ITEM}", ["    endpoint:", f"        {_ITEM[:-1]}"]),
            (f"    endpoint: # ours\n\t{_ITEM}", [f"    {_ITEM[:-1]}"]),
            (f"\t\tendpoint:\n\t\t\t{_ITEM}", ["    endpoint:", f"      {_ITEM[:-1]}"]),
        ):
            self.set_registries(_MIRROR + lines)
            self.assertEqual(self.added(), added)

    def test_not_clear(self) -> None:
        """Where no width makes sense, people decide."""
        for text in (
            f"{_MIRROR}          endpoint:\n\t{_ITEM}",
            "mirrors:\n  a.example:\n\tb.example:\n",
        ):
            self.set_registries(text)
            self.assertEqual(self.added(), [], text)

    def test_configuration(self) -> None:
        """In other files two columns do."""
        self.node.write(f"{CONFIG}.d/10-node.yaml", "node-label:\n\t- a=b\n")
        self.assertEqual(self.added(), ["  - a=b"])
