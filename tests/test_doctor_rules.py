"""Tests that the doctor's rules, their tests and their documentation belong together."""

import os
import re

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.rules.catalog import RULES
from tests.modules import read_directory, read_modules

_HERE = os.path.dirname(__file__)
_ROW = re.compile(
    r"^\| `([a-z0-9-]+)` \| (error|warning|suggestion) \| (.+) \| (.+) \|$", re.MULTILINE
)


class RulesTests(SynchronousTestCase):
    """Tests for the table of rules."""

    def test_documented(self) -> None:
        """docs/node.md says of each rule what it means and what to do, and of nothing else."""
        with open(os.path.join(_HERE, "../docs/node.md"), encoding="utf-8") as file:
            rows = {row[1]: row[2] for row in _ROW.finditer(file.read())}
        self.assertEqual(rows, {rule.id: rule.severity.value for rule in RULES.values()})

    def test_tested(self) -> None:
        """Each rule has a golden test."""
        tests = {
            name
            for module in read_directory(_HERE).values()
            if ".test_doctor_" in module.name
            for name, _ in module.functions()
        }
        wanted = {f"test_rule_{rule_id.replace('-', '_')}" for rule_id in RULES}
        self.assertEqual(wanted - tests, set())

    def test_reader(self) -> None:
        """Each diagnostic of the YAML reader is a rule."""
        modules = read_modules()
        source = modules["minreg.k3s.yaml_reader"].source
        source += modules["minreg.k3s.registries.registries_yaml"].source
        reported = re.findall(r'(?:add_diagnostic|Diagnostic)\(\s*"([a-z0-9-]+)"', source)
        self.assertGreater(len(set(reported)), 8)
        self.assertEqual(set(reported) - set(RULES), set())
