"""Tests for ``minreg.commands.next_steps``."""

import os
import subprocess
import sys
import tarfile

from twisted.trial.unittest import SynchronousTestCase

from minreg.commands.next_steps import list_next_steps, own_command
from minreg.defaults import DEFAULT_ROOT


class AfterFillingTests(SynchronousTestCase):
    """Tests for ``list_next_steps``."""

    def setUp(self) -> None:
        """Put the command on the path."""
        self.patch(sys, "argv", ["minreg"])

    def test_default(self) -> None:
        """The default directory needs no option."""
        self.assertEqual(
            list_next_steps("./registry", is_verified=False),
            [
                "minreg verify && tar -czf registry-content.tar.gz registry",
                "minreg serve --root registry",
            ],
        )

    def test_elsewhere(self) -> None:
        """Another directory is named and quoted; the archive has its last component."""
        pack = "tar -C '/srv/my tree' -czf registry-content.tar.gz registry"
        self.assertEqual(
            list_next_steps("/srv/my tree/registry", is_verified=False),
            [
                f"minreg verify -d '/srv/my tree/registry' && {pack}",
                "minreg serve --root '/srv/my tree/registry'",
            ],
        )
        self.assertEqual(
            list_next_steps(".", is_verified=True),
            [
                "tar -C . --transform 's,^\\.,registry,S' -czf registry-content.tar.gz .",
                "minreg serve --root .",
            ],
        )

    def test_renamed(self) -> None:
        """A tree of another name is packed under the name in the guides; links are kept."""
        tree = os.path.abspath(self.mktemp())
        os.makedirs(f"{tree}/a/manifests")
        os.symlink("../../blobs", f"{tree}/a/blobs")
        os.symlink("./x", f"{tree}/a/manifests/1")
        pack, _ = list_next_steps(tree, is_verified=True)
        directory = self.mktemp()
        os.makedirs(directory)
        subprocess.run(["/bin/sh", "-c", pack], cwd=directory, check=True)
        with tarfile.open(f"{directory}/registry-content.tar.gz") as archive:
            self.assertEqual(
                {member.name: member.linkname for member in archive},
                {
                    "registry": "",
                    "registry/a": "",
                    "registry/a/blobs": "../../blobs",
                    "registry/a/manifests": "",
                    "registry/a/manifests/1": "./x",
                },
            )

    def test_node(self) -> None:
        """A tree on a node is served already: the next step is the doctor."""
        self.assertEqual(list_next_steps(f"{DEFAULT_ROOT}/", is_verified=True), ["minreg doctor"])


class OwnCommandTests(SynchronousTestCase):
    """Tests for ``own_command``."""

    def test_path(self) -> None:
        """A command that is not on the path is named by its path."""
        directory = os.path.abspath(self.mktemp())
        os.makedirs(directory)
        program = os.path.join(directory, "minreg")
        with open(program, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n")
        os.chmod(program, 0o755)
        self.patch(sys, "argv", [program])
        self.patch(os, "environ", {"PATH": "/nowhere"})
        self.assertEqual(own_command(), program)
        self.patch(os, "environ", {"PATH": directory})
        self.assertEqual(own_command(), "minreg")
        self.patch(sys, "argv", ["/usr/lib/python3/minreg/__main__.py"])
        self.assertEqual(own_command(), "minreg")
