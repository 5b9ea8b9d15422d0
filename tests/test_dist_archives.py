"""Tests for the archives and the installer of ``packaging/``, with a small tree."""

import hashlib
import os
import subprocess
import sys
import tarfile

from twisted.trial.unittest import SkipTest, SynchronousTestCase

_PACKAGING = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packaging")
if not os.path.isdir(_PACKAGING):
    raise SkipTest("packaging/ is not in this source archive")
sys.path.append(_PACKAGING)

from minreg_dist.archives import write_installer, write_sums, write_tar  # noqa: E402 - see above


def read(path: str) -> bytes:
    """Read a file."""
    with open(path, "rb") as file:
        return file.read()


class ArchiveTestCase(SynchronousTestCase):
    """A test with a tree that stands for the one that is built."""

    def setUp(self) -> None:
        """Write the tree and the installer."""
        self.directory = os.path.abspath(self.mktemp())
        self.tree = self.write_tree("tree")
        self.archive = os.path.join(self.directory, "archive.tar.gz")
        self.installer = os.path.join(self.directory, "installer.run")
        self.build("1.0")

    def write_tree(self, name: str) -> str:
        """Write a tree, and return its path."""
        tree = os.path.join(self.directory, name)
        for path, text in (("share/minreg/VERSION", "1\n"), ("bin/minreg", "#!/bin/sh\necho 1\n")):
            os.makedirs(os.path.dirname(os.path.join(tree, path)))
            with open(os.path.join(tree, path), "w", encoding="ascii") as file:
                file.write(text)
        os.chmod(os.path.join(tree, "bin/minreg"), 0o755)
        return tree

    def build(self, version: str) -> None:
        """Write the archive and the installer."""
        write_tar(self.tree, "minreg", self.archive)
        write_installer(self.archive, version, os.uname().machine, self.installer)

    def run_installer(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the installer."""
        return subprocess.run(
            ["sh", self.installer, *arguments], check=False, capture_output=True, text=True
        )


class WriteTests(ArchiveTestCase):
    """Tests for ``write_tar``, ``write_installer`` and ``write_sums``."""

    def test_same_bytes(self) -> None:
        """The same files give the same bytes, whatever their times and their owner."""
        before = read(self.archive), read(self.installer)
        other = self.write_tree("other")
        os.utime(os.path.join(other, "bin/minreg"), (1, 1))
        write_tar(other, "minreg", self.archive)
        self.build("1.0")
        self.assertEqual((read(self.archive), read(self.installer)), before)
        with tarfile.open(self.archive) as archive:
            members = archive.getmembers()
        self.assertEqual(members[0].name, "minreg")
        self.assertEqual({member.mtime for member in members}, {315532800})
        self.assertEqual({(member.uid, member.uname) for member in members}, {(0, "root")})

    def test_sums(self) -> None:
        """The sums are those that sha256sum checks, sorted by name."""
        path = os.path.join(self.directory, "SHA256SUMS")
        write_sums([self.installer, self.archive], path)
        lines = [
            f"{hashlib.sha256(read(file)).hexdigest()}  {os.path.basename(file)}\n"
            for file in (self.archive, self.installer)
        ]
        self.assertEqual(read(path).decode(), "".join(lines))


class InstallerTests(ArchiveTestCase):
    """Tests for the installer, which installs into a directory."""

    def setUp(self) -> None:
        """Make a directory that stands for a node."""
        super().setUp()
        self.node = os.path.join(self.directory, "node")
        self.destination = f"--destdir={self.node}"
        self.link = os.path.join(self.node, "usr/local/bin/minreg")

    def refuse(self) -> str:
        """Run it, and return its message."""
        ended = self.run_installer(self.destination)
        self.assertEqual((ended.returncode, ended.stdout), (1, ""), ended)
        self.assertEqual(ended.stderr.count("\n"), 1)
        return ended.stderr

    def test_install(self) -> None:
        """It unpacks the tree, and links the command."""
        ended = self.run_installer("--destdir", self.node)
        self.assertEqual(
            (ended.returncode, ended.stdout, ended.stderr),
            (0, f"minreg 1.0 is installed in {self.node}/opt/minreg\n", ""),
        )
        self.assertEqual(os.readlink(self.link), "/opt/minreg/bin/minreg")
        program = os.path.join(self.node, "opt/minreg/bin/minreg")
        self.assertEqual(os.stat(program).st_mode & 0o777, 0o755)
        self.assertEqual(os.listdir(os.path.join(self.node, "opt")), ["minreg"])

    def test_upgrade(self) -> None:
        """Another version replaces it: no file of the former one is left."""
        self.run_installer(self.destination)
        os.rename(os.path.join(self.tree, "bin/minreg"), os.path.join(self.tree, "bin/other"))
        self.build("2.0")
        ended = self.run_installer(self.destination)
        self.assertIn("minreg 2.0", ended.stdout)
        self.assertEqual(os.listdir(os.path.join(self.node, "opt/minreg/bin")), ["other"])

    def test_interrupted(self) -> None:
        """What an interrupted run has left is put right."""
        self.run_installer(self.destination)
        opt = os.path.join(self.node, "opt")
        os.rename(os.path.join(opt, "minreg"), os.path.join(opt, ".minreg-old"))
        os.makedirs(os.path.join(opt, ".minreg-new", "x"))
        self.assertEqual(self.run_installer(self.destination).returncode, 0)
        self.assertEqual(os.listdir(opt), ["minreg"])

    def test_list(self) -> None:
        """--list names the files, and changes nothing."""
        ended = self.run_installer("--list", self.destination)
        self.assertEqual(ended.returncode, 0)
        self.assertIn("/opt/minreg/bin/minreg\n", ended.stdout)
        self.assertFalse(os.path.exists(self.node))

    def test_damaged(self) -> None:
        """A file that is damaged anywhere behind the script, or cut off, installs nothing."""
        content = read(self.installer)
        middle = len(content) - len(read(self.archive)) // 2
        flipped = bytes([content[middle] ^ 1])
        for damaged in (
            content[:-1],
            content[: -len(read(self.archive))],
            content[:middle] + flipped + content[middle + 1 :],
        ):
            with open(self.installer, "wb") as file:
                file.write(damaged)
            self.assertEqual(
                self.refuse(), "minreg installer: this file is damaged: copy it again\n"
            )
        self.assertFalse(os.path.exists(self.node))

    def test_other_programs(self) -> None:
        """What was not made by the installer is not replaced."""
        os.makedirs(os.path.join(self.node, "opt/minreg/bin"))
        self.assertIn("opt/minreg was not made by this installer: move it away", self.refuse())
        os.rename(os.path.join(self.node, "opt"), os.path.join(self.node, "moved"))
        os.makedirs(os.path.dirname(self.link))
        for target in ("/usr/bin/other", None):
            if target is None:
                os.unlink(self.link)
                os.mkdir(self.link)
            else:
                os.symlink(target, self.link)
            self.assertIn("minreg is another program: move it away", self.refuse())
        self.assertFalse(os.path.exists(os.path.join(self.node, "opt")))

    def test_other_machine(self) -> None:
        """On another architecture it refuses, but not for an image of a node."""
        write_installer(self.archive, "1.0", "riscv64", self.installer)
        ended = self.run_installer()
        self.assertEqual(ended.returncode, 1)
        self.assertIn("this file is for riscv64, and this machine is ", ended.stderr)
        self.assertEqual(self.run_installer(self.destination).returncode, 0)

    def test_usage(self) -> None:
        """Options are described, and a wrong one is exit status 2."""
        self.assertIn("--destdir DIR", self.run_installer("--help").stdout)
        for arguments in (("--frobnicate",), ("--destdir",)):
            ended = self.run_installer(*arguments)
            self.assertEqual((ended.returncode, ended.stderr.count("\n")), (2, 1))
