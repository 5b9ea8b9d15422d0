"""Tests for what the doctor says of rewrites that are not what was meant."""

from minreg.k3s.doctor.files import NodeFiles
from minreg.k3s.doctor.patches import make_patch
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import REGISTRIES
from tests.test_doctor_mirrors import rewrite


class RewriteMendsTests(RulesTestCase):
    """Tests for the mends of ``check_rewrites``."""

    def fix(self, pattern: str, replacement: str) -> tuple[str, str]:
        """Ask what is to be done about a rewrite: the rule that it breaks, and the mend."""
        self.set_registries(MIRRORS + rewrite(pattern, replacement))
        (found,) = self.node.diagnose()
        return found.rule.id, found.fix

    def test_group(self) -> None:
        """What may be anything becomes the group; where that is not clear, people decide."""
        add = "write ${1} with braces where letters or digits follow, or add the group"
        for pattern, replacement, fix in (
            ("^rancher/.*", "x/$1", "write ^rancher/(.*)"),
            ("^rancher/.*$", "x/${1}", "write ^rancher/(.*)$"),
            ("^rancher/.+", "x/$1", "write ^rancher/(.+)"),
            ("^rancher/.*-pause", "x/$1", "write ^rancher/(.*)-pause"),
            ("^rancher.*/.*", "x/$1", "write ( and ) around what $1 is to be"),
            ("^rancher", "x/$1x", add),
            ("^rancher/.*", "x/$2", add),
        ):
            self.assertEqual(self.fix(pattern, replacement), ("rewrite-group", fix), pattern)

    def test_group_in_difference(self) -> None:
        """The group that is written is one."""
        self.set_registries(MIRRORS + rewrite("^rancher/.*", "x/$1"))
        (found,) = self.node.diagnose()
        lines = make_patch(NodeFiles(self.node.prefix), found.changes).lines
        self.assertIn('+      "^rancher/(.*)": "x/$1"', lines)

    def test_rule_rewrite_unknown(self) -> None:
        """What only Go can tell about is no mistake."""
        self.set_registries(MIRRORS + rewrite("(?U)^rancher/(.*)$", "mirror/$1"))
        self.assert_found(
            (
                "rewrite-unknown",
                f"{REGISTRIES}:6",
                (
                    "'(?U)^rancher/(.*)$' has (?U), which only Go can tell about: what this "
                    "rewrite does was not worked out"
                ),
                "write it without, or see in containerd's log what is asked for",
            )
        )
