"""The programs of the sample run, on the machines that they are for."""

import os
import platform
import shutil
import subprocess

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from minreg.fill.sample import PROGRAMS

_EMULATORS = {"amd64": "qemu-x86_64-static", "arm64": "qemu-aarch64-static"}
_NATIVE = {"x86_64": "amd64", "aarch64": "arm64"}


class SampleProgramTests(SynchronousTestCase):
    """Tests for ``PROGRAMS`` by running them."""

    def run_program(self, architecture: str) -> None:
        """Run a program, and expect its line and status 0."""
        path = os.path.abspath(self.mktemp())
        with open(path, "wb") as file:
            file.write(PROGRAMS[architecture])
        os.chmod(path, 0o755)
        command = [path]
        if _NATIVE.get(platform.machine()) != architecture:
            emulator = shutil.which(_EMULATORS[architecture])
            if emulator is None:
                raise SkipTest("needs the Debian package qemu-user-static")
            command = [emulator, path]
        done = subprocess.run(command, check=True, capture_output=True)
        self.assertEqual(done.stdout, f"Hello from minreg (linux/{architecture})\n".encode())

    def test_amd64(self) -> None:
        """The program for x86-64 writes its line and exits with 0."""
        self.run_program("amd64")

    def test_arm64(self) -> None:
        """The program for AArch64 writes its line and exits with 0."""
        self.run_program("arm64")
