"""Tests for the fixes of rewrites, and for rewrites that cannot be checked."""

import sys
from unittest.mock import patch

from minreg.k3s.doctor.diagnosis import diagnose
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.node_state import inspect_node
from minreg.k3s.doctor.patches import make_patch
from tests.doctor_support import MIRRORS, RulesTestCase
from tests.nodes import REGISTRIES
from tests.test_doctor_mirrors import rewrite


class RewriteMendsTests(RulesTestCase):
    """Tests for the fixes of ``check_rewrites``."""

    def fix(self, pattern: str, replacement: str) -> tuple[str, str]:
        """Return the rule that a rewrite breaks, and the fix."""
        self.set_registries(MIRRORS + rewrite(pattern, replacement))
        (found,) = self.node.diagnose()
        return found.rule.id, found.fix

    def test_group(self) -> None:
        """What may be anything becomes the group; where that is not clear, people decide."""
        add = "write ${1} with braces if letters or digits follow, or add the group"
        for pattern, replacement, fix in (
            ("^rancher/.*", "x/$1", "write ^rancher/(.*)"),
            ("^rancher/.*$", "x/${1}", "write ^rancher/(.*)$"),
            ("^rancher/.+", "x/$1", "write ^rancher/(.+)"),
            ("^rancher/.*-pause", "x/$1", "write ^rancher/(.*)-pause"),
            ("^rancher.*/.*", "x/$1", "put ( and ) around the part that $1 stands for"),
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

    def test_not_checked(self) -> None:
        """Without google-re2 nothing is said of rewrites, and of images that they may rename."""
        self.set_registries(MIRRORS + rewrite("^rancher/(.*)", "mirror/$1"))
        self.assertEqual([one.rule.id for one in self.node.diagnose()], ["pause-image"])
        files = NodeFiles(self.node.prefix)
        with patch.dict(sys.modules, {"re2": None}):
            self.assertEqual(diagnose(inspect_node(files)), [])
        self.assertEqual(
            files.unread, {f"rewrites in {REGISTRIES}": "google-re2 is not installed"}
        )
