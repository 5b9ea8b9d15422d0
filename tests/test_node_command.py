"""Tests for ``minreg node``."""

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.commands.node import find_mend
from tests.test_cli import run

_PROGRAM = "--program=/opt/minreg/bin/twistd"


class NodeCommandTests(SynchronousTestCase):
    """Tests for ``minreg node install`` and ``uninstall``."""

    def setUp(self) -> None:
        """Make a directory that stands for a node."""
        self.node = os.path.abspath(self.mktemp())
        self.destination = f"--destdir={self.node}"

    def test_install(self) -> None:
        """Everything is named, with what was done about it."""
        result = run("node", "install", self.destination, _PROGRAM, "--route")
        self.assertEqual(result.exit_code, 0, result.output)
        lines = result.output.splitlines()
        self.assertEqual(len(lines), 8)
        self.assertEqual(lines[0], "/etc/systemd/system/minreg.socket: written")
        self.assertEqual(lines[-1], "/etc/rancher/k3s/registries.yaml: written")

    def test_route(self) -> None:
        """For an image nobody knows whether it wants the route: only who says so gets it."""
        self.assertNotIn(
            "wants/minreg-route", run("node", "install", self.destination, _PROGRAM).output
        )

    def test_left_to_do(self) -> None:
        """What is left to the operator is shown, and makes the exit status 1."""
        os.makedirs(f"{self.node}/etc/rancher/k3s")
        with open(f"{self.node}/etc/rancher/k3s/registries.yaml", "w", encoding="ascii") as file:
            file.write("mirrors: {}\n")
        result = run("node", "install", self.destination, _PROGRAM)
        self.assertEqual(result.exit_code, 1)
        self.assertIn("registries.yaml: does not name this registry: add\n", result.output)
        self.assertIn('      - "http://127.0.0.1:9080"\n', result.output)

    def test_again(self) -> None:
        """A later run keeps the root and the program that were installed, and says so."""
        run("node", "install", self.destination, _PROGRAM, "--root=/srv/registry", "--no-route")
        result = run("node", "install", self.destination)
        self.assertEqual(result.exit_code, 0, result.output)
        kept, *steps = result.output.splitlines()
        self.assertEqual(
            kept, "--program /opt/minreg/bin/twistd --root /srv/registry: as installed before"
        )
        self.assertEqual({step.partition(": ")[2] for step in steps}, {"is there already"})

    def test_another_root(self) -> None:
        """A root that is named takes the place of the one before."""
        run("node", "install", self.destination, _PROGRAM, "--root=/srv/registry")
        result = run("node", "install", self.destination, _PROGRAM, "--root=/srv/other/")
        self.assertIn("minreg.service: brought up to date", result.output)
        with open(f"{self.node}/etc/systemd/system/minreg.service", encoding="utf-8") as file:
            self.assertIn("--root /srv/other --wait", file.read())

    def test_rke2(self) -> None:
        """RKE2 has a registries.yaml of its own, where it is installed or its tree is served."""
        k3s, rke2 = (f"/etc/rancher/{name}/registries.yaml" for name in ("k3s", "rke2"))
        root = "--root=/var/lib/rancher/rke2/server/registry"
        result = run("node", "install", self.destination, _PROGRAM, root)
        self.assertIn(f"{rke2}: written\n", result.output)
        self.assertNotIn(k3s, result.output)
        other = os.path.abspath(self.mktemp())
        os.makedirs(f"{other}/etc/rancher/rke2")
        result = run("node", "install", f"--destdir={other}", _PROGRAM)
        self.assertIn(f"{k3s}: written\n", result.output)
        self.assertIn(f"{rke2}: written\n", result.output)
        result = run("node", "uninstall", f"--destdir={other}")
        self.assertIn(f"{k3s}: removed\n", result.output)
        self.assertIn(f"{rke2}: removed\n", result.output)

    def test_uninstall(self) -> None:
        """What was installed is removed."""
        run("node", "install", self.destination, _PROGRAM, "--route")
        result = run("node", "uninstall", self.destination)
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(result.output.count(": removed\n"), 8)
        self.assertEqual(run("node", "uninstall", self.destination).output, "")

    def test_wrong(self) -> None:
        """A path that cannot be is wrong usage, in one line."""
        for option in ("--root=registry", "--root=/home/a/b", "--program=/tmp/twistd"):
            result = run("node", "install", self.destination, _PROGRAM, option)
            self.assertEqual(result.exit_code, 2)
            self.assertEqual(result.stderr.count("\n"), 1)

    def test_cannot_write(self) -> None:
        """What cannot be written ends in one line with the mend, behind what was done."""
        path = f"{self.node}/etc/rancher/k3s/registries.yaml"
        os.makedirs(path)
        result = run("node", "install", self.destination, _PROGRAM)
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(
            result.stderr, f"Error: {path}: Is a directory: move away what is in its place\n"
        )
        self.assertEqual(result.stdout.count(": written\n"), 4)

    def test_mends(self) -> None:
        """The mend fits what happened."""
        for number, mend in (
            (errno.EACCES, "run this as root"),
            (errno.EPERM, "run this as root"),
            (errno.EROFS, "mount that file system for writing, or name an image with --destdir"),
            (errno.ENOTDIR, "move away what is in its place"),
            (errno.ENOSPC, "see to that, and run this again"),
        ):
            self.assertEqual(find_mend(OSError(number, "")), mend)
