"""Tests for ``minreg.commands.terminal``."""

import io
import os
import pty
import subprocess
import sys
from unittest.mock import patch

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.commands.terminal import byte_bar, has_color, is_interactive, wrap

_RED_ERROR = "\x1b[31m\x1b[1mError:\x1b[0m"


class _Terminal(io.StringIO):
    """A stream that pretends to be a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


class HasColorTests(SynchronousTestCase):
    """Tests for ``has_color`` and ``is_interactive``."""

    def check(self, *, terminal: bool, **environment: str) -> tuple[bool, bool]:
        """Return whether colours and bars are written in an environment."""
        self.patch(os, "environ", environment)
        stream = _Terminal() if terminal else io.StringIO()
        return has_color(stream), is_interactive(stream)

    def test_terminal(self) -> None:
        """A terminal has both, a pipe neither."""
        self.assertEqual(self.check(terminal=True, TERM="xterm"), (True, True))
        self.assertEqual(self.check(terminal=False, TERM="xterm"), (False, False))

    def test_dumb(self) -> None:
        """A dumb or unknown terminal has neither."""
        for name in ("dumb", "unknown", ""):
            self.assertEqual(self.check(terminal=True, TERM=name), (False, False))
        self.assertEqual(self.check(terminal=True), (False, False))

    def test_no_color(self) -> None:
        """NO_COLOR turns colours off, and has priority. If it is empty, it is ignored."""
        environment = {"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1"}
        self.assertEqual(self.check(terminal=True, **environment), (False, True))
        environment = {"TERM": "xterm", "NO_COLOR": ""}
        self.assertEqual(self.check(terminal=True, **environment), (True, True))

    def test_forced(self) -> None:
        """FORCE_COLOR and CLICOLOR_FORCE turn colours on in a pipe; 0 is ignored."""
        for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
            self.assertEqual(self.check(terminal=False, **{name: "1"}), (True, False))
            self.assertEqual(self.check(terminal=False, **{name: "0"}), (False, False))


class ByteBarTests(SynchronousTestCase):
    """Tests for ``byte_bar``."""

    def show(self, stream: io.StringIO, term: str = "xterm") -> str:
        """Show a bar, and return what was written."""
        self.patch(sys, "stderr", stream)
        # rich keeps the environment that it was loaded in.
        with patch.dict(os.environ, {"TERM": term, "NO_COLOR": ""}):
            with byte_bar("hashing", 2_000_000) as advanced:
                advanced(1_000_000)
        return stream.getvalue()

    def test_terminal(self) -> None:
        """On a terminal, the bar has its label and the progress."""
        written = self.show(_Terminal())
        self.assertIn("hashing", written)
        self.assertIn("1.0/2.0 MB", written)

    def test_pipe(self) -> None:
        """Elsewhere, nothing is written."""
        self.assertEqual(self.show(io.StringIO()), "")
        self.assertEqual(self.show(_Terminal(), "dumb"), "")


class WrapTests(SynchronousTestCase):
    """Tests for ``wrap``."""

    def test_paths(self) -> None:
        """Text is wrapped at 80 columns; paths and words with hyphens are not broken."""
        path = "/var/lib/rancher/" + "k3s-" * 30
        self.assertEqual(
            wrap(f"{'some words ' * 8}in {path} or so", "    ", first="fix: "),
            [
                "fix: some words some words some words some words some words some words some",
                "    words some words in",
                f"    {path}",
                "    or so",
            ],
        )


class ErrorTests(SynchronousTestCase):
    """Tests for errors, in a real terminal and in a pipe."""

    def run_in_terminal(self, **environment: str) -> tuple[int, str]:
        """Run a command that fails, with its standard error on a terminal."""
        ours, theirs = pty.openpty()
        ended = subprocess.run(
            [sys.executable, "-m", "minreg", "doctor", "--root-prefix", "/proc/self/fd"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=False,
            env={"PATH": os.environ["PATH"], "TERM": "xterm", **environment},
        )
        os.close(theirs)
        with open(ours, "rb", buffering=0) as output:
            return ended.returncode, output.read(4096).decode()

    def test_terminal(self) -> None:
        """On a terminal, an error is red, unless NO_COLOR is set."""
        status, text = self.run_in_terminal()
        self.assertEqual(status, 2)
        self.assertTrue(text.startswith(f"{_RED_ERROR} neither K3s"), text)
        for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
            status, text = self.run_in_terminal(**{name: value})
            self.assertEqual(status, 2)
            self.assertTrue(text.startswith("Error: neither K3s"), text)

    def test_pipe(self) -> None:
        """In a pipe, it has no colour."""
        result = CliRunner().invoke(cli, ["doctor", "--root-prefix", self.mktemp()])
        self.assertEqual(result.exit_code, 2)
        self.assertNotIn("\x1b", result.output)
        self.assertIn("\nError: ", result.stderr)

    def test_forced(self) -> None:
        """For invalid usage, only ``Error:`` is coloured, below the usage line."""
        result = CliRunner().invoke(cli, ["frobnicate"], env={"FORCE_COLOR": "1", "NO_COLOR": ""})
        self.assertEqual(result.exit_code, 2)
        self.assertTrue(result.stderr.startswith("Usage: "))
        self.assertIn(f"\n{_RED_ERROR} No such command 'frobnicate'", result.stderr)
