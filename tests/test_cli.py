"""Tests for ``minreg.cli``."""

import subprocess
import sys

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg import __version__
from minreg.cli import cli


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(cli, arguments, prog_name="minreg")


class CommandLineTests(SynchronousTestCase):
    """Tests for ``cli``."""

    def test_version(self) -> None:
        """The version is the package's."""
        result = run("--version")
        self.assertEqual((result.exit_code, result.output), (0, f"minreg {__version__}\n"))

    def test_help(self) -> None:
        """The help lists the commands with their summaries."""
        for option in ("-h", "--help"):
            result = run(option)
            self.assertEqual(result.exit_code, 0)
            self.assertIn("sample  ", result.output)
            self.assertIn("Write a small tree to try minreg with.", result.output)

    def test_unknown_command(self) -> None:
        """An unknown command is invalid usage."""
        result = run("frobnicate")
        self.assertEqual(result.exit_code, 2)
        self.assertIn("No such command 'frobnicate'", result.output)
        self.assertNotIn("Did you mean", result.output)

    def test_near_command(self) -> None:
        """A similar command is suggested, also of a group."""
        self.assertIn("No such command 'lst'. Did you mean 'list'?", run("lst").output)
        self.assertIn("'install'", run("node", "instal").output)

    def test_directory_without_option(self) -> None:
        """The error names the option if a tree is named without it."""
        for command in ("list", "verify", "prune", "preflight"):
            result = run(command, "registry")
            self.assertEqual(result.exit_code, 2)
            self.assertIn("(registry): name the tree with --directory\n", result.output)
        self.assertNotIn("--directory", run("status", "registry").output)

    def test_empty_path(self) -> None:
        """An empty path is refused: a script passes it if a variable is not set."""
        for arguments in (
            ("sample", ""),
            ("node", "install", "--destdir", ""),
            ("node", "uninstall", "--destdir", ""),
            ("doctor", "--root-prefix", ""),
            ("registries", "--hosts-toml", ""),
            ("registries", "--password-file", ""),
            ("download", "--file", ""),
            ("preflight", "--file", ""),
            ("prune", "--keep-file", ""),
            ("import", ""),
        ):
            result = run(*arguments)
            self.assertEqual(result.exit_code, 2, arguments)
            self.assertIn("the path is empty; name a file or directory", result.output)

    def test_unknown_option(self) -> None:
        """An unknown option is invalid usage."""
        self.assertEqual(run("sample", "--frobnicate").exit_code, 2)

    def test_help_imports_no_command(self) -> None:
        """The help imports only the table of commands."""
        program = (
            "import sys; from click.testing import CliRunner; from minreg.cli import cli; "
            "CliRunner().invoke(cli, ['--help']); "
            "print([name for name in sys.modules if name.startswith(('minreg.', 'twisted'))])"
        )
        listed = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        )
        self.assertEqual(
            listed.stdout, "['minreg.commands', 'minreg.commands.groups', 'minreg.cli']\n"
        )

    def test_missing_library(self) -> None:
        """A command whose library is not installed says how to install it."""
        program = (
            "import sys; sys.modules['yaml'] = None; from minreg.cli import main; "
            "sys.argv[0] = 'minreg'; main()"
        )
        missing = subprocess.run(
            [sys.executable, "-c", program, "registries", "--wildcard"],
            check=False,
            capture_output=True,
            text=True,
        )
        message = (
            "Error: minreg registries needs yaml, which is not installed: reinstall "
            "minreg; without a network, from its wheels: "
            "pip install --no-index --find-links wheels minreg\n"
        )
        self.assertEqual((missing.returncode, missing.stderr), (2, message))


class SampleCommandTests(SynchronousTestCase):
    """Tests for ``minreg sample``."""

    def test_twice(self) -> None:
        """The first run prints what it wrote, and the second that the files exist already."""
        root = self.mktemp()
        first, second = run("sample", root), run("sample", root)
        images = "minreg/sample:1.0 and minreg/sample:latest"
        self.assertEqual((first.exit_code, first.output), (0, f"{root} now has {images}\n"))
        self.assertEqual(
            (second.exit_code, second.output),
            (0, f"{root} already has {images}\n"),
        )

    def test_not_writable(self) -> None:
        """A file that cannot be written is one line on stderr, with exit status 1."""
        result = run("sample", "/proc/registry")
        self.assertEqual(result.exit_code, 1)
        self.assertTrue(result.stderr.startswith("Error: cannot write /proc/registry: "))
        self.assertEqual(result.stderr.count("\n"), 1)
