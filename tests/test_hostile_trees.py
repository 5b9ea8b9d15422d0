"""Tests for commands in trees that were laid out to do harm, or by mistake look so."""

import os

from minreg.fill.errors import TreeNotWritable
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest, NameInvalid
from tests.filled_tree import FilledTree
from tests.hostile_tree import HostileTreeTestCase

BLOB = b"a blob"
DIGEST = Digest.of(BLOB)


class PrivateTests(HostileTreeTestCase):
    """Tests for links in the private directory ``.minreg``."""

    def test_new(self) -> None:
        """The target of a linked staging directory is not emptied."""
        path = self.tree.path(".minreg", "new")
        os.rmdir(path)
        os.symlink(self.outside, path)
        self.assertEqual(
            self.refusal("prune", "--yes"),
            f"Error: cannot write {path}: it is a link to {self.outside}, or below one; "
            "remove the link",
        )

    def test_lock(self) -> None:
        """The target of a linked lock is not written, and a pipe is refused."""
        path = self.tree.path(".minreg", "lock")
        for make in (
            lambda: os.symlink(self.victim, path),
            lambda: os.link(self.victim, path),
            lambda: os.mkfifo(path),
        ):
            os.unlink(path)
            make()
            self.assertIn(f"{path}: it is no regular file", self.refusal("prune", "--yes"))

    def test_private(self) -> None:
        """The private directory itself must not be a link."""
        os.rename(self.tree.path(".minreg"), self.tree.path("private"))
        os.symlink("private", self.tree.path(".minreg"))
        self.assertIn("remove the link", self.refusal("prune", "--yes"))

    def test_partial(self) -> None:
        """The target of a linked partial blob is not written, and a pipe does not block."""
        path = self.tree.path(".minreg", "partial", str(DIGEST))
        for make in (lambda: os.symlink(self.victim, path), lambda: os.mkfifo(path)):
            make()
            with TreeWriter(self.tree.root, "a test") as tree:
                self.assertRaises(TreeNotWritable, tree.open_partial, DIGEST)
            self.check_outside()
            os.unlink(path)


class WriterTests(HostileTreeTestCase):
    """Tests for links of repositories out of the tree."""

    def setUp(self) -> None:
        """Have a repository, a directory of manifests and one of blobs that are links out."""
        super().setUp()
        self.writer = TreeWriter(self.tree.root, "a test").__enter__()
        self.addCleanup(self.writer.__exit__, None, None, None)
        os.symlink(self.outside, self.tree.path("away"))
        os.mkdir(self.tree.path("b"))
        os.symlink(self.outside, self.tree.path("b", "manifests"))
        os.symlink(self.outside, self.tree.path(".minreg", "origins"))

    def test_writing(self) -> None:
        """Nothing is created behind a link out of the tree."""
        for place in ("away", "away/x", "b"):
            self.assertRaises(TreeNotWritable, self.writer.write_manifest, place, b"{}")
            self.check_outside()
        self.assertRaises(
            TreeNotWritable, self.writer.write_file_if_changed, ".minreg/origins/a", b"x"
        )
        self.assertRaises(NameInvalid, self.writer.write_manifest, ".minreg/partial", b"{}")
        self.check_outside()

    def test_removing(self) -> None:
        """Nothing is removed behind it."""
        for path in ("away/victim", "b/manifests/victim", ".minreg/origins/victim"):
            self.assertRaises(TreeNotWritable, self.writer.remove_file, path)
        os.mkdir(os.path.join(self.outside, "manifests"))
        self.assertRaises(TreeNotWritable, self.writer.remove_empty, "away")
        os.rmdir(os.path.join(self.outside, "manifests"))
        self.check_outside()

    def test_blob_elsewhere(self) -> None:
        """A blob that is a link out counts as missing, and is replaced by a file."""
        path = self.tree.path("blobs", str(DIGEST))
        os.symlink(self.victim, path)
        size = os.path.getsize(self.victim)
        self.assertFalse(self.writer.has_blob("a", DIGEST, size))
        with self.writer.open_partial(DIGEST) as partial:
            partial.write(BLOB)
            partial.commit(len(BLOB))
        self.assertFalse(os.path.islink(path))
        self.check_outside()


class ReadingTests(HostileTreeTestCase):
    """Tests for commands that read trees with links out of them."""

    def setUp(self) -> None:
        """Have another tree outside, with an image."""
        super().setUp()
        self.other = FilledTree(f"{self.outside}-tree")
        self.other.add_image("x", "amd64", b"other", tags=("1",))

    def test_repository(self) -> None:
        """A repository outside is reported, and nothing is removed."""
        for name, target in (("b", "x"), ("c/manifests", "x/manifests"), ("d", ".")):
            path = self.tree.path(name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.symlink(self.other.path(target), path)
            said = self.refusal("prune", "--yes", "--keep-file", "-", keep="quay.io/none:1")
            self.assertIn("nothing was removed: ", said)
            self.assertIn(f"{path} leads out of the root", said)
            for command in ("list", "verify"):
                result = self.run_command(command)
                self.assertEqual(result.exit_code, 1)
                self.assertIn(f"not checked: {path} leads out of the root", result.output)
                self.assertIn("a:1", result.stdout)
            os.unlink(path)
        self.assertTrue(os.path.lexists(self.other.path("x", "manifests", "1")))

    def test_allowed(self) -> None:
        """With --allow-links-to it is read, and kept with all that it needs."""
        os.symlink(self.other.path("x"), self.tree.path("b"))
        layer = self.tree.add_blob("a", "x/y", b"other")
        self.tree.add_blob("a", "x/y", b"orphan")
        allowing = ("--allow-links-to", self.other.root)
        self.assertIn("b:1: complete", self.run_command("verify", *allowing).stdout)
        self.assertIn("b:1", self.run_command("list", *allowing).stdout)
        keep = ("--keep-file", "-")
        said = self.run_command("prune", "--yes", *keep, *allowing, keep="quay.io/a:1").stdout
        self.assertEqual(said, "removed 0 images, 0 manifests and 1 blob (6 B)\n")
        self.assertTrue(os.path.exists(self.tree.path("blobs", layer["digest"])))
        self.assertEqual(self.run_command("verify", *allowing).exit_code, 0)

    def test_blob(self) -> None:
        """A blob that the registry would not serve, a link out or no file, is a problem."""
        path = self.tree.blob_path(b"layer")
        os.unlink(path)
        os.symlink(self.other.blob_path(b"other"), path)
        result = self.run_command("verify")
        self.assertEqual(result.exit_code, 1)
        name = os.path.basename(path)
        link = self.tree.path("a", "blobs", name)
        self.assertIn(f"a:1: BROKEN: layer {name}: {link} leads out of the root", result.stdout)
        os.unlink(path)
        os.mkfifo(path)
        self.assertIn(f"{path} is not a file: remove it", self.run_command("verify").stdout)

    def test_many_names(self) -> None:
        """Directories with links to each other end neither list nor prune, and are reported."""
        names = [f"d{number}" for number in range(12)]
        for name in names:
            os.mkdir(self.tree.path(name))
        for name in names:
            for other in names:
                if other != name:
                    os.symlink(f"../{other}", self.tree.path(name, other))
        self.assertIn("names by links: remove some", self.run_command("list").stderr)
        self.assertIn("names by links: remove some", self.refusal("prune"))

    def test_nested(self) -> None:
        """Deeply nested indexes are reported in one line, and nothing is removed."""
        index = self.tree.add_index("b", tag="1")
        for _ in range(600):
            index = self.tree.add_index("b", index, tag="1")
        self.assertIn("b:1: BROKEN: manifest ", self.run_command("verify").stdout)
        self.assertEqual(self.run_command("list").exit_code, 0)
        self.assertIn("more than any client follows", self.refusal("prune"))
