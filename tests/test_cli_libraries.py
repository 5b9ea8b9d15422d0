"""Tests for commands whose libraries are not installed, each in its own process."""

import subprocess
import sys
from collections.abc import Iterator

from click import Group
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli

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
