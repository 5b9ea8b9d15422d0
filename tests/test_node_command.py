"""Tests for ``minreg node``."""

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.commands.node import find_fix
from tests.test_cli import run

_PROGRAM = "--program=/opt/minreg/bin/minreg"


class NodeCommandTests(SynchronousTestCase):
    """Tests for ``minreg node install`` and ``uninstall``."""

    def setUp(self) -> None:
        """Create a directory that stands for a node."""
        self.node = os.path.abspath(self.mktemp())
        environment = {name: value for name, value in os.environ.items() if name != "K3S_URL"}
        self.patch(os, "environ", environment)
        self.destination = f"--destdir={self.node}"

    def test_install(self) -> None:
        """The output has each file, with what was done about it."""
        result = run("node", "install", self.destination, _PROGRAM, "--route")
        self.assertEqual(result.exit_code, 0, result.output)
        lines = result.output.splitlines()
        self.assertEqual(len(lines), 10)
        self.assertEqual(lines[0], "/etc/systemd/system/minreg.socket: written")
        self.assertEqual(
            lines[-3:],
            [
                "/usr/local/bin/minreg: linked",
                "/etc/rancher/k3s/registries.yaml: written",
                "/etc/rancher/k3s/config.yaml.d/10-minreg.yaml: written",
            ],
        )
        self.assertEqual(
            os.readlink(f"{self.node}/usr/local/bin/minreg"), "/opt/minreg/bin/minreg"
        )

    def test_route(self) -> None:
        """In an image, the route is created only with --route, because its node is unknown."""
        self.assertNotIn(
            "wants/minreg-route", run("node", "install", self.destination, _PROGRAM).output
        )

    def test_left_to_do(self) -> None:
        """Steps that are left to the operator are printed, and the exit status is 1."""
        path = "/etc/rancher/k3s/registries.yaml"
        os.makedirs(f"{self.node}/etc/rancher/k3s")
        with open(self.node + path, "w", encoding="ascii") as file:
            file.write("mirrors:\n\ta: {}\n")
        result = run("node", "install", self.destination, _PROGRAM)
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"{path}: K3s cannot read it, not changed\n{path}:2:1: ", result.stdout)
        self.assertEqual(result.stderr, f"Error: not done: {path}: see above\n")

    def test_command_in_the_way(self) -> None:
        """Another program called minreg is not replaced, and is reported."""
        path = "/usr/local/bin/minreg"
        os.makedirs(os.path.dirname(self.node + path))
        with open(self.node + path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n")
        result = run("node", "install", self.destination, _PROGRAM)
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"{path}: not made by minreg, not replaced\n", result.stdout)
        self.assertNotIn(path, run("node", "uninstall", self.destination).output)
        self.assertTrue(os.path.isfile(self.node + path))

    def test_another_program(self) -> None:
        """The link points to the command beside --program; there is none at its own path."""
        link = f"{self.node}/usr/local/bin/minreg"
        run("node", "install", self.destination, _PROGRAM)
        result = run("node", "install", self.destination, "--program=/opt/minreg2/bin/minreg")
        self.assertIn("/usr/local/bin/minreg: updated\n", result.output)
        self.assertEqual(os.readlink(link), "/opt/minreg2/bin/minreg")
        run("node", "uninstall", self.destination)
        self.assertFalse(os.path.lexists(link))
        result = run("node", "install", self.destination, "--program=/usr/local/bin/minreg")
        self.assertNotIn("/usr/local/bin/minreg", result.output)

    def test_agent(self) -> None:
        """An agent gets only the settings that agents accept, also in later runs."""
        path = f"{self.node}/etc/rancher/k3s/config.yaml.d/10-minreg.yaml"
        for options in (("--agent",), (), ("--server",), ()):
            run("node", "install", self.destination, _PROGRAM, *options)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            self.assertIn("\ndisable-default-registry-endpoint: true\n", text)
            if options:
                is_agent = options == ("--agent",)
            self.assertEqual("system-default-registry:" not in text, is_agent, options)

    def test_agent_by_environment(self) -> None:
        """With K3S_URL, it is an agent, as for K3s' install script."""
        self.patch(os, "environ", {**os.environ, "K3S_URL": "https://192.0.2.1:6443"})
        run("node", "install", self.destination, _PROGRAM)
        path = f"{self.node}/etc/rancher/k3s/config.yaml.d/10-minreg.yaml"
        with open(path, encoding="utf-8") as file:
            self.assertNotIn("system-default-registry:", file.read())

    def test_start_in_an_image(self) -> None:
        """In an image, nothing can be started or stopped."""
        for command, option in (("install", "--start"), ("uninstall", "--stop")):
            result = run("node", command, self.destination, option)
            self.assertEqual(result.exit_code, 2)
            self.assertEqual(
                result.stderr,
                f"Error: {option} needs a running node: leave it off with --destdir\n",
            )

    def test_again(self) -> None:
        """Without options, a later run uses the installed root and program, and says so."""
        run("node", "install", self.destination, _PROGRAM, "--root=/srv/registry", "--no-route")
        result = run("node", "install", self.destination)
        self.assertEqual(result.exit_code, 0, result.output)
        paths, *steps = result.output.splitlines()
        self.assertEqual(
            paths, "--program /opt/minreg/bin/minreg --root /srv/registry: as installed before"
        )
        self.assertEqual({step.partition(": ")[2] for step in steps}, {"already up to date"})

    def test_another_root(self) -> None:
        """--root replaces the root of an earlier run."""
        run("node", "install", self.destination, _PROGRAM, "--root=/srv/registry")
        result = run("node", "install", self.destination, _PROGRAM, "--root=/srv/other/")
        self.assertIn("minreg.service: updated", result.output)
        with open(f"{self.node}/etc/systemd/system/minreg.service", encoding="utf-8") as file:
            self.assertIn("--root /srv/other --wait", file.read())

    def test_rke2(self) -> None:
        """RKE2 gets its own registries.yaml if it is installed, or its tree is served."""
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
        self.assertIn("/etc/rancher/rke2/config.yaml.d/10-minreg.yaml: removed\n", result.output)

    def test_uninstall(self) -> None:
        """The installed files are removed."""
        run("node", "install", self.destination, _PROGRAM, "--route")
        result = run("node", "uninstall", self.destination)
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(result.output.count(": removed\n"), 10)
        self.assertEqual(run("node", "uninstall", self.destination).output, "")

    def test_wrong(self) -> None:
        """A path that cannot be used is invalid usage, in one line."""
        for option in ("--root=registry", "--root=/home/a/b", "--program=/tmp/minreg"):
            result = run("node", "install", self.destination, _PROGRAM, option)
            self.assertEqual(result.exit_code, 2)
            self.assertEqual(result.stderr.count("\n"), 1)

    def test_cannot_write(self) -> None:
        """A file that cannot be written is reported after the other steps, with the fix."""
        path = f"{self.node}/etc/rancher/k3s/registries.yaml"
        os.makedirs(path)
        result = run("node", "install", self.destination, _PROGRAM)
        self.assertEqual(result.exit_code, 1)
        self.assertEqual(
            result.stderr, f"Error: {path}: Is a directory: move away what has this name\n"
        )
        self.assertEqual(result.stdout.count(": written\n"), 4)

    def test_fixes(self) -> None:
        """The fix depends on the error."""
        for number, fix in (
            (errno.EACCES, "run this as root"),
            (errno.EPERM, "run this as root"),
            (errno.EROFS, "mount the file system read-write, or use --destdir for an image"),
            (errno.ENOTDIR, "move away what has this name"),
            (errno.ENOSPC, "fix that, and run this again"),
        ):
            self.assertEqual(find_fix(OSError(number, "")), fix)
