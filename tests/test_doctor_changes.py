"""Tests for ``minreg.k3s.doctor.patches``."""

from minreg.k3s.doctor.findings import Addition, Change, Edit, LineRemoval, Move
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.patches import make_patch
from minreg.k3s.yaml_reader import Position
from tests.doctor_support import RulesTestCase
from tests.nodes import CONFIG


class ChangesTests(RulesTestCase):
    """Tests for ``make_patch``."""

    def show(self, *changes: Change) -> list[str]:
        """Show changes."""
        return list(make_patch(NodeFiles(self.node.prefix), changes).lines)

    def test_edit(self) -> None:
        """A line is changed at its place, from right to left."""
        self.node.write(CONFIG, "a: a a\nb: a\n")
        self.assertEqual(
            self.show(
                Edit(CONFIG, Position(1, 4), "a", "long"),
                Edit(CONFIG, Position(1, 6), "a", "c"),
                Edit(CONFIG, Position(1, 6), "a", "c"),
                Edit(CONFIG, Position(9, 1), "a", "c"),
                Edit(CONFIG, Position(2, 1), "z", "c"),
            ),
            [
                f"--- a{CONFIG}",
                f"+++ b{CONFIG}",
                "@@ -1,2 +1,2 @@",
                "-a: a a",
                "+a: long c",
                " b: a",
            ],
        )

    def test_lines(self) -> None:
        """Lines are taken out and added, whether or not the last one ends."""
        self.node.write(CONFIG, "a: 1\nb: 2")
        self.assertEqual(
            self.show(LineRemoval(CONFIG, 1), Addition(CONFIG, "c: 3\n"), LineRemoval(CONFIG, 7)),
            [
                f"--- a{CONFIG}",
                f"+++ b{CONFIG}",
                "@@ -1,2 +1,2 @@",
                "-a: 1",
                "-b: 2",
                "\\ No newline at end of file",
                "+b: 2",
                "+c: 3",
            ],
        )

    def test_new(self) -> None:
        """A file that is not there is made, and nothing is a difference of nothing."""
        self.assertEqual(
            self.show(Addition("/etc/new", "a\n")),
            ["--- /dev/null", "+++ b/etc/new", "@@ -0,0 +1 @@", "+a"],
        )
        self.assertEqual(self.show(LineRemoval("/etc/none", 1)), [])

    def test_move(self) -> None:
        """A file that belongs elsewhere goes from here and comes there."""
        self.node.write("/etc/a", "x\n")
        self.assertEqual(
            self.show(Move("/etc/a", "/etc/b")),
            [
                "--- a/etc/a",
                "+++ /dev/null",
                "@@ -1 +0,0 @@",
                "-x",
                "--- /dev/null",
                "+++ b/etc/b",
                "@@ -0,0 +1 @@",
                "+x",
            ],
        )
