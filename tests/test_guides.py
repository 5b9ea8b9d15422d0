"""What the guides tell to type goes together."""

from twisted.trial.unittest import SynchronousTestCase

from tests.readme import read_command, read_guide


class NodeStepsTests(SynchronousTestCase):
    """Tests for how a node is set up, which has no network to add anything."""

    def test_carried(self) -> None:
        """Everything that is used on the node is collected, and named among what to carry."""
        collected = read_command("carry")
        readme = read_guide("README.md")
        carry = readme.partition("**Carry**")[2].partition(" to a directory")[0]
        used = f"{read_command('node')}\n{read_command('k3s')}"
        for name in ("wheels", "registry-content.tar.gz", "k3s", "install.sh"):
            self.assertIn(f"`{name}`", carry)
            self.assertIn(name, used)
        self.assertIn("pip wheel --wheel-dir wheels .", collected)

    def test_same_in_both(self) -> None:
        """docs/node.md has the steps of README, to the letter."""
        guide = read_guide("docs/node.md")
        for name in ("node", "k3s"):
            self.assertTrue(f"```\n{read_command(name)}\n```" in guide, name)
