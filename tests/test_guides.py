"""Tests for the commands in the guides."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.options import DAEMON_OPTIONS
from tests.readme import TOP, read_command, read_guide


class WheelsTests(SynchronousTestCase):
    """Tests for copying minreg to a node that has no network."""

    def test_all_in_one(self) -> None:
        """The commands install all dependencies: minreg has no extras."""
        for directory, _, names in os.walk(os.path.join(TOP, "docs")):
            for name in names:
                if name.endswith(".md"):
                    self.assertNotIn("minreg[", read_guide(os.path.join(directory, name)))
        self.assertNotIn("minreg[", read_guide("README.md"))
        self.assertNotIn("'.[", read_guide("README.md"))


class OptionsTests(SynchronousTestCase):
    """Tests for the table of options in README."""

    def test_variables(self) -> None:
        """Each option is in the table, with its variable."""
        text = read_guide("README.md")
        for option in DAEMON_OPTIONS:
            self.assertIn(f"`--{option.name}", text)
            self.assertIn(f"`{option.variable}`", text)

    def test_unit(self) -> None:
        """The unit reads the file that the guide names."""
        self.assertIn("/etc/default/minreg", read_guide("docs/node.md"))
        unit = read_guide("src/minreg/node/systemd/minreg.service")
        self.assertIn("\nEnvironmentFile=-/etc/default/minreg\n", unit)


class NodeStepsTests(SynchronousTestCase):
    """Tests for setting up a node that has no network."""

    def test_carried(self) -> None:
        """Everything that is used on the node is collected before."""
        collected = read_command("carry")
        readme = read_guide("README.md")
        carry = readme.partition("**Carry**")[2].partition(" to a directory")[0]
        used = f"{read_command('node')}\n{read_command('k3s')}"
        for name in ("wheels", "registry-content.tar.gz", "k3s", "install.sh"):
            self.assertIn(f"`{name}`", carry)
            self.assertIn(name, used)
        self.assertIn("pip wheel --wheel-dir wheels .", collected)

    def test_same_in_both(self) -> None:
        """docs/node.md has the same steps as README."""
        guide = read_guide("docs/node.md")
        for name in ("node", "k3s"):
            self.assertTrue(f"```\n{read_command(name)}\n```" in guide, name)
