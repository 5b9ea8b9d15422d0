"""Tests for ``minreg.program``."""

import json
import os
import subprocess
import sys
import sysconfig

import attrs
from twisted.trial.unittest import SynchronousTestCase

from minreg.program import (
    installed_file,
    is_standalone,
    own_program,
    reinstall_hint,
    worker_command,
)
from minreg.settings import Settings
from tests.standalone import PROGRAM, become_standalone


class InstalledTests(SynchronousTestCase):
    """Tests for a program that pip has installed."""

    def test_commands(self) -> None:
        """Python runs it, and its command is among the scripts."""
        self.assertFalse(is_standalone())
        self.assertEqual(own_program(), os.path.join(sysconfig.get_path("scripts"), "minreg"))
        self.assertEqual(worker_command(), [sys.executable, "-m", "minreg", "worker"])
        self.assertTrue(os.path.isdir(installed_file()))

    def test_hint(self) -> None:
        """It is installed again with pip."""
        self.assertIn("pip install --no-index --find-links wheels minreg", reinstall_hint())


class StandaloneTests(SynchronousTestCase):
    """Tests for a program that contains Python."""

    def test_commands(self) -> None:
        """It runs itself."""
        become_standalone(self)
        self.assertTrue(is_standalone())
        self.assertEqual((own_program(), installed_file()), (PROGRAM, PROGRAM))
        self.assertEqual(worker_command(), [PROGRAM, "worker"])
        self.assertNotIn("pip", reinstall_hint())


class WorkerTests(SynchronousTestCase):
    """Tests for the command that starts a worker."""

    def run_worker(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program whose main process has already ended."""
        return subprocess.run(command, input="", check=False, capture_output=True, text=True)

    def test_worker(self) -> None:
        """It serves by the settings behind it, and ends with its main process."""
        settings = Settings(root=os.path.abspath(self.mktemp()), listen=(), waits_for_root=True)
        ended = self.run_worker(*worker_command(), json.dumps(attrs.asdict(settings)))
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_no_command(self) -> None:
        """The command line for people has no such command."""
        program = "import sys; from minreg.cli import main; sys.argv[0] = 'minreg'; main()"
        ended = self.run_worker(sys.executable, "-c", program, "worker", "{}")
        self.assertEqual(ended.returncode, 2)
        self.assertIn("No such command 'worker'", ended.stderr)
