"""Runs ``minreg preflight`` on a tree with a release."""

import os

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.oci.names import parse_references
from tests.preflight_support import ReleaseTree


class PreflightCommandTestCase(SynchronousTestCase):
    """A tree with a release, and ways to run the command on it."""

    below = ""

    def setUp(self) -> None:
        """Fill the tree."""
        self.root = os.path.abspath(self.mktemp())
        self.release = ReleaseTree(self.root, self.below)
        self.children = self.release.add_release()

    def run_command(self, *arguments: str, given: str | bytes = "") -> Result:
        """Run the command for nodes of one kind."""
        platform = ("--platform", "linux/amd64")
        return CliRunner().invoke(
            cli, ["preflight", "-d", self.root, *platform, *arguments], input=given
        )

    def lacking(self, *arguments: str, given: str = "") -> list[str]:
        """Name what is not ready; there is something."""
        result = self.run_command(*arguments, given=given)
        self.assertEqual(result.exit_code, 1, result.output)
        return [str(image) for image in parse_references(result.stdout.splitlines(), "-")]

    def refusal(self, *arguments: str, given: str | bytes = "") -> str:
        """Say why it cannot look, which has a status of its own and nothing on stdout."""
        result = self.run_command(*arguments, given=given)
        self.assertEqual((result.exit_code, result.stdout), (2, ""), result.output)
        return str(result.stderr)

    def write(self, content: str) -> str:
        """Write a file, and return its path."""
        path: str = self.mktemp()
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path
