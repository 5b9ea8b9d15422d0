"""What the guides tell to type goes together."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.options import DAEMON_OPTIONS

_ABOVE = os.path.dirname(os.path.dirname(__file__))


def read(guide: str) -> str:
    """Read a guide."""
    with open(os.path.join(_ABOVE, guide), encoding="utf-8") as file:
        return file.read()


class WheelsTests(SynchronousTestCase):
    """Tests for how the program is carried to a node, which has no network to add anything."""

    def test_all_in_one(self) -> None:
        """What is carried is whole: there is nothing to add by an extra."""
        for directory, _, names in os.walk(os.path.join(_ABOVE, "docs")):
            for name in names:
                if name.endswith(".md"):
                    self.assertNotIn("minreg[", read(os.path.join(directory, name)))
        self.assertNotIn("minreg[", read("README.md"))
        self.assertNotIn("'.[", read("README.md"))


class OptionsTests(SynchronousTestCase):
    """Tests for the table of options in README."""

    def test_variables(self) -> None:
        """Each option stands there, with its variable."""
        text = read("README.md")
        for option in DAEMON_OPTIONS:
            self.assertIn(f"`--{option.name}", text)
            self.assertIn(f"`{option.variable}`", text)

    def test_unit(self) -> None:
        """The unit reads the file that the guide names."""
        self.assertIn("/etc/default/minreg", read("docs/node.md"))
        unit = read("src/minreg/node/systemd/minreg.service")
        self.assertIn("\nEnvironmentFile=-/etc/default/minreg\n", unit)
