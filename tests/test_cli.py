"""Tests for ``minreg.cli``."""

import os
import subprocess
import sys
from collections.abc import Iterator
from unittest import skipUnless

from click import Group
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg import __version__
from minreg.cli import cli
from tests.filled_tree import FilledTree


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
            listed.stdout,
            "['minreg.commands', 'minreg.program', 'minreg.commands.groups', 'minreg.cli']\n",
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


_OF_THE_DAEMON = ("attrs", "attr", "twisted", "zope")
_LIBRARIES = (
    "OpenSSL",
    "cryptography",
    "prometheus_client",
    "re2",
    "rich",
    "service_identity",
    "urllib3",
    "yaml",
    "zstandard",
)

_PROGRAM = """
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

blocked = set(sys.argv[1].split())
sys.meta_path.insert(0, Blocker())
from minreg.cli import cli
for words in sys.argv[2:]:
    try:
        cli(words.split(), prog_name="minreg")
    except SystemExit as stop:
        print(f"status {stop.code}: {words}", flush=True)
"""


def list_commands(group: Group, above: str = "") -> Iterator[str]:
    """Return the names of all commands, with those of groups."""
    yield above
    for name in group.list_commands(None):  # type: ignore[arg-type] # it is not used
        command = group.get_command(None, name)  # type: ignore[arg-type]
        if isinstance(command, Group):
            yield from list_commands(command, f"{above} {name}".strip())
        else:
            yield f"{above} {name}".strip()


def run_without(libraries: str, *commands: str) -> "subprocess.CompletedProcess[str]":
    """Run commands one after the other in a process without some libraries."""
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, libraries, *commands],
        check=False,
        capture_output=True,
        text=True,
    )


class HelpTests(SynchronousTestCase):
    """Tests for ``--help``."""

    def check_help(self, libraries: str, commands: list[str]) -> None:
        """Check that each command has help, with exit status 0 and nothing on stderr."""
        wanted = [f"{command} --help".strip() for command in commands]
        ended = run_without(libraries, *wanted)
        self.assertEqual(ended.stderr, "")
        statuses = [line for line in ended.stdout.splitlines() if line.startswith("status ")]
        self.assertEqual(statuses, [f"status 0: {words}" for words in wanted])

    def test_each_library(self) -> None:
        """Every command has help if any one library is missing, or all are."""
        commands = list(list_commands(cli))
        self.assertIn("node install", commands)
        for libraries in (*_LIBRARIES, " ".join(_LIBRARIES)):
            self.check_help(libraries, commands)

    def test_without_the_daemon(self) -> None:
        """All commands but those of ``node`` have help without the daemon's libraries."""
        commands = [name for name in list_commands(cli) if not name.startswith("node")]
        self.check_help(" ".join((*_LIBRARIES, *_OF_THE_DAEMON)), commands)


class RunTests(SynchronousTestCase):
    """Tests for commands that need a library."""

    def test_one_line(self) -> None:
        """A command fails with one line that says what is missing, and how to install it."""
        for library, name, command in (
            ("urllib3", "urllib3", "download -s busybox"),
            ("rich", "rich", "download -s busybox"),
            ("zstandard", "zstandard", "import x.tar"),
            ("yaml", "yaml", "registries --wildcard"),
            ("cryptography", "cryptography", "doctor"),
            ("yaml", "yaml", "preflight -d / --manifests x.yaml"),
            ("twisted", "twisted", "serve --root /"),
        ):
            ended = run_without(library, command)
            self.assertIn("status 2: ", ended.stdout)
            lines = ended.stderr.splitlines()
            self.assertEqual(len(lines), 1, ended.stderr)
            start = f"Error: minreg {command.partition(' ')[0]} needs {name}"
            self.assertTrue(lines[0].startswith(start), lines[0])
            self.assertIn("pip install --no-index --find-links wheels minreg", lines[0])


_FULL = "/dev/full"
_OUTPUT_PROGRAM = "from minreg.cli import main; main()"
_MESSAGE = (
    "Error: cannot write the output: No space left on device: "
    "free some space, or write it elsewhere"
)


@skipUnless(os.path.exists(_FULL), f"needs {_FULL}")
class FullOutputTests(SynchronousTestCase):
    """Tests for ``minreg.cli`` with standard output on a full disk."""

    def test_full(self) -> None:
        """One line says that the output cannot be written, with and without buffering."""
        tree = FilledTree(self.mktemp())
        tree.add_image("a", "amd64", b"x", tags=("1",))
        for unbuffered in ("", "1"):
            for arguments in (["--help"], ["list", "-d", tree.root], ["registries", "docker.io"]):
                with open(_FULL, "wb") as full:
                    ended = subprocess.run(
                        [sys.executable, "-c", _OUTPUT_PROGRAM, *arguments],
                        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
                        check=False,
                        stdout=full,
                        stderr=subprocess.PIPE,
                        text=True,
                    )
                self.assertEqual(ended.returncode, 1)
                self.assertEqual(ended.stderr.splitlines()[-1], _MESSAGE)
                self.assertNotIn("Traceback", ended.stderr)
