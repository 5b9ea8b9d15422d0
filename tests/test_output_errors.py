"""Tests for errors of standard output."""

import os
import subprocess
import sys
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from tests.filled_tree import FilledTree

_FULL = "/dev/full"
_PROGRAM = "from minreg.cli import main; main()"
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
                        [sys.executable, "-c", _PROGRAM, *arguments],
                        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
                        check=False,
                        stdout=full,
                        stderr=subprocess.PIPE,
                        text=True,
                    )
                self.assertEqual(ended.returncode, 1)
                self.assertEqual(ended.stderr.splitlines()[-1], _MESSAGE)
                self.assertNotIn("Traceback", ended.stderr)
