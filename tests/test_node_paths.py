"""Tests for ``minreg.node.units``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.units import PathUnsuitable, check_program, check_root, check_runs
from tests.standalone import become_standalone


class CheckPathTests(SynchronousTestCase):
    """Tests for paths in units."""

    def test_plain(self) -> None:
        """Ordinary paths are accepted, without a slash at their end."""
        program = "/opt/min-reg_1.0/bin/minreg"
        self.assertEqual(check_program(program), program)
        for path in ("/var/lib/registry", "/srv/.hidden", "/homework/x", "/srv/a/-b"):
            self.assertEqual(check_root(path), path)
        self.assertEqual(check_root("/var/lib/registry/"), "/var/lib/registry")

    def test_not_plain(self) -> None:
        """A path that systemd would interpret differently is refused; the error has the option."""
        for path in ("registry", "/a b", "/a%n", "/a/../b", "/a/.", "/a$HOME", "/a\n", "/", "//a"):
            error = self.assertRaises(PathUnsuitable, check_root, path)
            self.assertIn(f"--root {path} cannot be used in a unit", str(error))

    def test_hidden_program(self) -> None:
        """A program that is hidden from the service is refused; the message has the fix."""
        for path in ("/root/venv/bin/minreg", "/home/a/bin/minreg", "/var/venv/minreg"):
            error = self.assertRaises(PathUnsuitable, check_program, path)
            self.assertIn("install minreg below /opt", str(error))

    def test_standalone(self) -> None:
        """A program of its own needs no Python, and the message says nothing of one."""
        become_standalone(self)
        error = self.assertRaises(PathUnsuitable, check_program, "/home/a/minreg")
        self.assertIn("install minreg below /opt, or name another", str(error))

    def test_twistd(self) -> None:
        """The program of earlier versions is refused; the message names the one of today."""
        error = self.assertRaises(PathUnsuitable, check_program, "/opt/minreg/bin/twistd")
        self.assertEqual(
            str(error),
            "--program /opt/minreg/bin/twistd is not minreg: use --program /opt/minreg/bin/minreg",
        )

    def test_hidden_root(self) -> None:
        """A root in a hidden directory is refused, too."""
        for path in (
            *("/home", "/home/a/registry", "/root", "/root/", "/run/user/0/x", "/etc/rancher"),
            *("/etc/rancher/k3s", "/dev/x", "/proc/x", "/sys/x", "/var"),
        ):
            error = self.assertRaises(PathUnsuitable, check_root, path)
            self.assertIn("keep the tree in a directory of its own", str(error))


class CheckRunsTests(SynchronousTestCase):
    """Tests for ``check_runs``."""

    def setUp(self) -> None:
        """Create a program, and the Python that it names, in a home directory."""
        self.place = os.path.abspath(self.mktemp())
        self.home = f"{self.place}/home/"
        self.program = f"{self.place}/opt/minreg"
        os.makedirs(f"{self.place}/opt")
        os.makedirs(self.home)
        for path in (self.program, f"{self.home}/python3"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"#!{self.place}/opt/python3\n")
            os.chmod(path, 0o755)

    def refuse(self, *, hidden: str = "/hidden/") -> str:
        """Return why the program cannot run."""
        return str(self.assertRaises(PathUnsuitable, check_runs, self.program, (hidden,)))

    def test_fine(self) -> None:
        """A program of the system is accepted."""
        check_runs("/bin/sh")

    def test_absent(self) -> None:
        """A program that does not exist, or whose Python does not, is refused."""
        self.assertIn(f"{self.place}/opt/python3 does not exist", self.refuse())
        os.unlink(self.program)
        self.assertIn(f"{self.program} does not exist", self.refuse())

    def test_python_in_a_home(self) -> None:
        """A program whose Python is a link to a hidden directory is refused."""
        os.symlink(f"{self.home}python3", f"{self.place}/opt/python3")
        message = self.refuse(hidden=self.home)
        self.assertIn(f"{self.place}/opt/python3, a link to {self.home}python3,", message)
        self.assertIn("is in a directory that is hidden from the service", message)

    def test_closed(self) -> None:
        """A program that other users may not read is refused: the service has its own user."""
        os.symlink(f"{self.home}python3", f"{self.place}/opt/python3")
        os.chmod(f"{self.place}/opt", 0o700)
        self.assertIn("cannot be read by the service's user: chmod -R a+rX", self.refuse())
