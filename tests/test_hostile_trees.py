"""Tests for commands in trees that were laid out to do harm, or by mistake look so."""

import os

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.fill.failures import TreeNotWritable
from minreg.fill.writer import TreeWriter
from minreg.names import Digest, NameInvalid
from tests.filled_tree import FilledTree

BLOB = b"a blob"
DIGEST = Digest.of(BLOB)


class HostileTreeTestCase(SynchronousTestCase):
    """A tree with an image, and a directory outside of it with a file that is precious."""

    def setUp(self) -> None:
        """Have both."""
        above = os.path.abspath(self.mktemp())
        self.tree = FilledTree(os.path.join(above, "tree"))
        self.tree.add_image("a", "amd64", b"layer", tags=("1",))
        self.outside = os.path.join(above, "outside")
        os.mkdir(self.outside)
        self.victim = os.path.join(self.outside, "victim")
        with open(self.victim, "wb") as file:
            file.write(b"precious")

    def run_command(self, command: str, *arguments: str, keep: str = "") -> Result:
        """Run a command on the tree, and make sure that it does no harm outside."""
        given = [command, "-d", self.tree.root, *arguments]
        result = CliRunner().invoke(cli, given, input=keep)
        self.assertIn(type(result.exception), (type(None), SystemExit))
        self.check_outside()
        return result

    def check_outside(self) -> None:
        """Make sure that nothing outside of the tree was changed."""
        self.assertEqual(os.listdir(self.outside), ["victim"])
        with open(self.victim, "rb") as file:
            self.assertEqual(file.read(), b"precious")

    def refusal(self, command: str, *arguments: str, keep: str = "") -> str:
        """Tell in which one line a command refuses the tree."""
        result = self.run_command(command, *arguments, keep=keep)
        self.assertEqual((result.exit_code, result.stdout), (1, ""))
        [line] = result.stderr.splitlines()
        return line


class PrivateTests(HostileTreeTestCase):
    """Tests for what is minreg's own, below ``.minreg``."""

    def test_new(self) -> None:
        """What a link for files in the making leads to is not cleared away."""
        path = self.tree.path(".minreg", "new")
        os.rmdir(path)
        os.symlink(self.outside, path)
        self.assertEqual(
            self.refusal("prune", "--yes"),
            f"Error: {path} is a link, or below one, and leads to {self.outside}: remove the link",
        )

    def test_lock(self) -> None:
        """What a lock leads to is not written into, and a pipe is none."""
        path = self.tree.path(".minreg", "lock")
        for make in (
            lambda: os.symlink(self.victim, path),
            lambda: os.link(self.victim, path),
            lambda: os.mkfifo(path),
        ):
            os.unlink(path)
            make()
            self.assertIn(f"{path} is no plain file of its own", self.refusal("prune", "--yes"))

    def test_private(self) -> None:
        """All of it may not lie elsewhere either."""
        os.rename(self.tree.path(".minreg"), self.tree.path("private"))
        os.symlink("private", self.tree.path(".minreg"))
        self.assertIn("remove the link", self.refusal("prune", "--yes"))

    def test_partial(self) -> None:
        """What a partial blob leads to is not written into, and a pipe is not waited for."""
        path = self.tree.path(".minreg", "partial", str(DIGEST))
        for make in (lambda: os.symlink(self.victim, path), lambda: os.mkfifo(path)):
            make()
            with TreeWriter(self.tree.root, "a test") as tree:
                self.assertRaises(TreeNotWritable, tree.open_partial, DIGEST)
            self.check_outside()
            os.unlink(path)


class WriterTests(HostileTreeTestCase):
    """Tests for links among repositories that lead out of the tree."""

    def setUp(self) -> None:
        """Have a repository that is a link out, one whose manifests are, and such blobs."""
        super().setUp()
        self.writer = TreeWriter(self.tree.root, "a test").__enter__()
        self.addCleanup(self.writer.__exit__, None, None, None)
        os.symlink(self.outside, self.tree.path("away"))
        os.mkdir(self.tree.path("b"))
        os.symlink(self.outside, self.tree.path("b", "manifests"))
        os.symlink(self.outside, self.tree.path(".minreg", "origins"))

    def test_writing(self) -> None:
        """Nothing is made behind a link that leads out."""
        for place in ("away", "away/x", "b"):
            self.assertRaises(TreeNotWritable, self.writer.write_manifest, place, b"{}")
            self.check_outside()
        self.assertRaises(TreeNotWritable, self.writer.keep_file, ".minreg/origins/a", b"x")
        self.assertRaises(NameInvalid, self.writer.write_manifest, ".minreg/partial", b"{}")
        self.check_outside()

    def test_removing(self) -> None:
        """Nothing is removed there."""
        for path in ("away/victim", "b/manifests/victim", ".minreg/origins/victim"):
            self.assertRaises(TreeNotWritable, self.writer.remove_file, path)
        os.mkdir(os.path.join(self.outside, "manifests"))
        self.assertRaises(TreeNotWritable, self.writer.remove_empty, "away")
        os.rmdir(os.path.join(self.outside, "manifests"))
        self.check_outside()

    def test_blob_elsewhere(self) -> None:
        """A blob that is a link out is none, and a new one takes the link's place."""
        path = self.tree.path("blobs", str(DIGEST))
        os.symlink(self.victim, path)
        size = os.path.getsize(self.victim)
        self.assertFalse(self.writer.has_blob("a", DIGEST, size))
        with self.writer.open_partial(DIGEST) as partial:
            partial.write(BLOB)
            partial.commit(len(BLOB))
        self.assertFalse(os.path.islink(path))
        self.check_outside()
