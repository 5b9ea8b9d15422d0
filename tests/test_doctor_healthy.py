"""Tests that the doctor leaves healthy nodes alone."""

from twisted.trial.unittest import SynchronousTestCase

from tests.nodes import make_healthy_node


class HealthyTests(SynchronousTestCase):
    """Tests for ``diagnose`` where nothing is wrong."""

    def test_healthy(self) -> None:
        """A node that was set up as docs/node.md says has no finding."""
        node = make_healthy_node(self.mktemp())
        self.assertEqual(node.diagnose(), [])
