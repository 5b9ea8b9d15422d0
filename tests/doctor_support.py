"""What the tests of the doctor's rules share."""

from twisted.trial.unittest import SynchronousTestCase

from tests.nodes import REGISTRIES, make_healthy_node

MIRRORS = """\
mirrors:
  bootstrap-registry.airgap:
    endpoint:
      - "http://127.0.0.1:9080"
"""


class RulesTestCase(SynchronousTestCase):
    """A healthy node, for a test to break one thing on it."""

    def setUp(self) -> None:
        """Make the node."""
        self.node = make_healthy_node(self.mktemp())

    def set_registries(self, text: str | bytes) -> None:
        """Write ``registries.yaml``, and have K3s read it."""
        self.node.write(REGISTRIES, text)
        self.node.restart_k3s()

    def assert_found(self, *golden: tuple[str, str, str, str]) -> None:
        """Check all that is found, to the letter: the rule, where, the problem, the mend."""
        found = [
            (
                finding.rule.id,
                f"{finding.path}:{finding.line}" if finding.line else finding.path,
                finding.problem,
                finding.mend,
            )
            for finding in self.node.diagnose()
        ]
        self.assertEqual(found, list(golden))

    def assert_nothing_found(self) -> None:
        """Check that all is well."""
        self.assert_found()
