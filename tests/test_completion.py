"""Tests for shell completion: the protocol between the shells and click."""

import subprocess
import sys

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.tap import Options


def complete(line: str) -> list[tuple[str, str]]:
    """Complete the last word of a line, as bash does; return types and values."""
    words = line.split(" ")
    environment = {
        "_MINREG_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    result = CliRunner().invoke(cli, [], prog_name="minreg", env=environment)
    assert result.exit_code == 0, result.output
    pairs = (row.partition(",") for row in result.stdout.splitlines() if row)
    return [(kind, value) for kind, _, value in pairs]


def names(line: str) -> list[str]:
    """Complete the last word of a line, and return the values."""
    return [value for _, value in complete(line)]


class CompletionTests(SynchronousTestCase):
    """Tests for completions."""

    def test_commands(self) -> None:
        """Commands are completed, and the options of the group."""
        self.assertEqual(names("minreg pr"), ["preflight", "prune"])
        self.assertEqual(names("minreg st"), ["status"])
        self.assertEqual(names("minreg --v"), ["--version"])

    def test_options(self) -> None:
        """The options of a command are completed."""
        self.assertEqual(names("minreg status --u"), ["--url"])
        self.assertIn("--platform", names("minreg verify --"))

    def test_serve(self) -> None:
        """The options of ``serve`` are those of the daemon."""
        options = {f"--{name.rstrip('=')}" for name in Options().longOpt}
        self.assertEqual(set(names("minreg serve --")), options)
        self.assertEqual(names("minreg serve --root x --log"), ["--log-format"])

    def test_values(self) -> None:
        """Values of options with few values are completed, and directories."""
        self.assertEqual(complete("minreg serve --root ab"), [("dir", "ab")])
        self.assertEqual(complete("minreg serve -r "), [("dir", "")])
        self.assertEqual(names("minreg serve --log-format "), ["text", "json"])
        self.assertEqual(names("minreg serve --log-format j"), ["json"])
        self.assertEqual(names("minreg serve --workers "), ["auto"])
        self.assertEqual(names("minreg serve --port "), [])

    def test_platforms(self) -> None:
        """The usual platforms are completed, for each command with that option."""
        for command in ("download", "import", "preflight", "verify"):
            self.assertEqual(
                names(f"minreg {command} -p linux/arm"), ["linux/arm64", "linux/arm/v7"]
            )
            self.assertEqual(names(f"minreg {command} --platform al"), ["all"])

    def test_light(self) -> None:
        """Completing the name of a command imports no command."""
        program = (
            "import os, sys; from minreg.cli import main\n"
            "try: main()\n"
            "finally: print([name for name in sys.modules if name.startswith('minreg.c')])"
        )
        environment = {"_MINREG_COMPLETE": "bash_complete", "COMP_WORDS": "minreg "}
        listed = subprocess.run(
            [sys.executable, "-c", program],
            env={**environment, "COMP_CWORD": "1"},
            check=False,
            capture_output=True,
            text=True,
        )
        self.assertIn("plain,serve\n", listed.stdout)
        self.assertTrue(
            listed.stdout.endswith(
                "\n['minreg.commands', 'minreg.commands.groups', 'minreg.cli']\n"
            ),
            listed.stdout,
        )

    def test_scripts(self) -> None:
        """There is a script for each shell that docs/completion.md names."""
        for shell in ("bash", "zsh", "fish"):
            environment = {"_MINREG_COMPLETE": f"{shell}_source"}
            result = CliRunner().invoke(cli, [], prog_name="minreg", env=environment)
            self.assertEqual(result.exit_code, 0)
            self.assertIn(f"_MINREG_COMPLETE={shell}_complete", result.stdout)
