"""A tree in which something is wrong on purpose, for tests of commands that must not harm."""

import os

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from tests.filled_tree import FilledTree


class HostileTreeTestCase(SynchronousTestCase):
    """A tree with an image, and a directory outside of it with a file that is precious."""

    def setUp(self) -> None:
        """Have both."""
        above = os.path.abspath(self.mktemp())
        # mktemp closes it to others, and some tests are others.
        os.chmod(os.path.dirname(above), 0o755)
        self.tree = FilledTree(os.path.join(above, "tree"))
        self.tree.add_image("a", "amd64", b"layer", tags=("1",))
        self.outside = os.path.join(above, "outside")
        os.mkdir(self.outside)
        self.victim = os.path.join(self.outside, "victim")
        with open(self.victim, "wb") as file:
            file.write(b"precious")

    def run_command(self, command: str, *arguments: str, keep: str = "") -> Result:
        """Run a command on the tree, and make sure that it does no harm outside."""
        given = [command, "-d", self.tree.root, *arguments]
        result = CliRunner().invoke(cli, given, input=keep)
        self.assertIn(type(result.exception), (type(None), SystemExit))
        self.check_outside()
        return result

    def check_outside(self) -> None:
        """Make sure that nothing outside of the tree was changed."""
        self.assertEqual(os.listdir(self.outside), ["victim"])
        with open(self.victim, "rb") as file:
            self.assertEqual(file.read(), b"precious")

    def refusal(self, command: str, *arguments: str, keep: str = "") -> str:
        """Tell in which one line a command refuses the tree."""
        result = self.run_command(command, *arguments, keep=keep)
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        [line] = result.stderr.splitlines()
        return line
