"""Tests for ``minreg.fill.tree.writer``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import ManifestMissing, TreeLocked, TreeNotWritable
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import Digest, NameInvalid
from minreg.store.tree import RegistryTree

BLOB = b"a layer"
DIGEST = Digest.of(BLOB)
MANIFEST = b'{"schemaVersion":2,"config":{},"layers":[]}'


class WriterTestCase(SynchronousTestCase):
    """A tree, opened by a writer."""

    def setUp(self) -> None:
        """Make an empty tree."""
        self.root = os.path.abspath(self.mktemp())
        os.mkdir(self.root)

    def begin(self) -> TreeWriter:
        """Open the tree for writing until the test ends."""
        writer = TreeWriter(self.root, "a test").__enter__()
        self.addCleanup(writer.__exit__, None, None, None)
        return writer

    def path(self, *names: str) -> str:
        """Return a path in the tree."""
        return os.path.join(self.root, *names)

    def add_blob(self, writer: TreeWriter, repository: str) -> None:
        """Write the blob into a repository."""
        with writer.open_partial(DIGEST) as partial:
            partial.write(BLOB)
            partial.commit(len(BLOB))
        writer.link_blob(repository, DIGEST, len(BLOB))


class EmptyTreeTests(SynchronousTestCase):
    """Tests for a tree to which nothing was written."""

    def setUp(self) -> None:
        """Choose a root that does not exist, below a directory that does not exist either."""
        self.parent = os.path.abspath(self.mktemp())
        self.root = os.path.join(self.parent, "registry")

    def write(self, content: bytes, size: int) -> None:
        """Open the tree, and begin a blob, which is complete if ``content`` has ``size`` bytes."""
        with TreeWriter(self.root, "a test") as writer:
            if content:
                with writer.open_partial(DIGEST) as partial:
                    partial.write(content)
                    if len(content) == size:
                        partial.commit(len(BLOB))

    def test_new(self) -> None:
        """A root that the writer created is removed; its parent stays."""
        self.write(b"", 0)
        self.assertEqual(os.listdir(self.parent), [])

    def test_existed(self) -> None:
        """A root that existed before is kept."""
        os.makedirs(self.root)
        self.write(b"", 0)
        self.assertEqual(sorted(os.listdir(self.root)), [".minreg", "blobs"])

    def test_blob(self) -> None:
        """A tree with a blob is kept."""
        self.write(BLOB, len(BLOB))
        self.assertEqual(os.listdir(f"{self.root}/blobs"), [str(DIGEST)])

    def test_partial_blob(self) -> None:
        """A tree with a partial blob is kept, so that the download can be resumed."""
        self.write(BLOB[:3], len(BLOB))
        self.assertEqual(os.listdir(f"{self.root}/.minreg/partial"), [str(DIGEST)])
        self.write(BLOB[3:], len(BLOB[3:]))
        self.assertEqual(os.listdir(f"{self.root}/.minreg/partial"), [])

    def test_other_file(self) -> None:
        """A tree is kept if another program has put a file into it."""
        with TreeWriter(self.root, "a test"), open(f"{self.root}/note", "xb"):
            pass
        self.assertIn("note", os.listdir(self.root))

    def test_root_removed(self) -> None:
        """It is no error if the root was removed meanwhile."""
        with TreeWriter(self.root, "a test"):
            os.rename(self.root, f"{self.parent}/elsewhere")
        self.assertEqual(os.listdir(self.parent), ["elsewhere"])


class TreeWriterTests(WriterTestCase):
    """Tests for ``TreeWriter`` in a tree that it created."""

    def test_layout(self) -> None:
        """A tree has the documented layout."""
        writer = self.begin()
        self.add_blob(writer, "rancher/mirrored-pause")
        digest = writer.write_manifest("rancher/mirrored-pause", MANIFEST)
        writer.tag("rancher/mirrored-pause", "3.6", digest)
        repository = self.path("rancher", "mirrored-pause")
        self.assertEqual(os.readlink(self.path("rancher", "blobs")), "../blobs")
        self.assertEqual(os.readlink(os.path.join(repository, "blobs")), "../blobs")
        self.assertEqual(os.readlink(os.path.join(repository, "manifests", "3.6")), str(digest))
        self.assertEqual(
            sorted(os.listdir(os.path.join(repository, "manifests"))), ["3.6", str(digest)]
        )
        self.assertEqual(os.listdir(self.path("blobs")), [str(DIGEST)])

    def test_served(self) -> None:
        """The store finds what was written, and nothing else."""
        writer = self.begin()
        self.add_blob(writer, "rancher/mirrored-pause")
        digest = writer.write_manifest("rancher/mirrored-pause", MANIFEST)
        writer.tag("rancher/mirrored-pause", "3.6", digest)
        writer.write_file_if_changed(
            "k3s/v1.33.4+k3s1.txt", b"docker.io/rancher/mirrored-pause:3.6\n"
        )
        store = RegistryTree(self.root)
        self.assertEqual(list(store.iterate_repositories("")), ["rancher/mirrored-pause"])
        repository = store.find_repository(None, "rancher/mirrored-pause")
        with repository.open_manifest("3.6").file as file:
            self.assertEqual(file.read(), MANIFEST)
        with repository.open_blob(DIGEST).file as file:
            self.assertEqual(file.read(), BLOB)

    def test_readable_for_all(self) -> None:
        """Files get the permissions that the umask leaves: the daemon is another user."""
        old = os.umask(0o022)
        self.addCleanup(os.umask, old)
        writer = self.begin()
        self.add_blob(writer, "a")
        digest = writer.write_manifest("a", MANIFEST)
        for path in (self.path("blobs", str(DIGEST)), self.path("a", "manifests", str(digest))):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)

    def test_has_blob(self) -> None:
        """The tree has a blob when it is committed, and only with its size."""
        writer = self.begin()
        self.assertFalse(writer.has_blob("a", DIGEST, len(BLOB)))
        self.add_blob(writer, "b")
        self.assertTrue(writer.has_blob("a", DIGEST, len(BLOB)))
        self.assertFalse(writer.has_blob("a", DIGEST, len(BLOB) + 1))

    def test_partial_survives(self) -> None:
        """A partial blob is kept for the next process, and is not a blob yet."""
        with TreeWriter(self.root, "first") as writer:
            with writer.open_partial(DIGEST) as partial:
                partial.write(BLOB[:3])
        writer = self.begin()
        self.assertEqual(writer.contents.partial_size(DIGEST), 3)
        self.assertEqual(writer.contents.partial_size(Digest.of(b"other")), 0)
        self.assertEqual(os.listdir(self.path("blobs")), [])
        with writer.open_partial(DIGEST) as partial:
            self.assertEqual(partial.offset, 3)

    def test_tag_needs_its_manifest(self) -> None:
        """A tag cannot point to a missing manifest."""
        writer = self.begin()
        writer.write_manifest("a", MANIFEST)
        missing = Digest.of(b"{}")
        failure = self.assertRaises(ManifestMissing, writer.tag, "a", "1", missing)
        self.assertEqual(str(failure), f"a has no manifest {missing} to tag as 1")
        self.assertRaises(NameInvalid, writer.tag, "a", "../1", missing)

    def test_tag_moves(self) -> None:
        """A tag can be moved to another manifest; an unchanged tag is not written."""
        writer = self.begin()
        first = writer.write_manifest("a", MANIFEST)
        second = writer.write_manifest("a", MANIFEST + b"\n")
        self.assertTrue(writer.tag("a", "1", first))
        self.assertFalse(writer.tag("a", "1", first))
        self.assertTrue(writer.tag("a", "1", second))
        self.assertEqual(os.readlink(self.path("a", "manifests", "1")), str(second))

    def test_broken_manifest_is_replaced(self) -> None:
        """A manifest with damaged bytes is written again."""
        writer = self.begin()
        digest = writer.write_manifest("a", MANIFEST)
        path = self.path("a", "manifests", str(digest))
        with open(path, "wb") as file:
            file.write(b"x" * len(MANIFEST))
        writer.write_manifest("a", MANIFEST)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), MANIFEST)

    def test_one_writer(self) -> None:
        """A second writer is refused, and told who the first is."""
        self.begin()
        failure = self.assertRaises(TreeLocked, TreeWriter(self.root, "second").__enter__)
        self.assertIn(f"process {os.getpid()} (a test)", str(failure))


class FieldTreeTests(WriterTestCase):
    """Tests for ``TreeWriter`` in trees that other programs created."""

    def test_own_blobs(self) -> None:
        """If a repository has its own directory of blobs, new blobs are linked into it."""
        os.makedirs(self.path("a", "blobs"))
        self.add_blob(self.begin(), "a")
        self.assertEqual(os.listdir(self.path("a", "blobs")), [str(DIGEST)])
        self.assertTrue(
            os.path.samefile(self.path("a", "blobs", str(DIGEST)), self.path("blobs", str(DIGEST)))
        )

    def test_blob_of_its_own(self) -> None:
        """A blob that only the repository has is not written again."""
        os.makedirs(self.path("a", "blobs"))
        with open(self.path("a", "blobs", str(DIGEST)), "wb") as file:
            file.write(BLOB)
        writer = self.begin()
        self.assertTrue(writer.has_blob("a", DIGEST, len(BLOB)))
        self.assertFalse(writer.has_blob("b", DIGEST, len(BLOB)))
        writer.link_blob("a", DIGEST, len(BLOB))

    def test_broken_blob_of_its_own(self) -> None:
        """A truncated blob is replaced by the complete one."""
        os.makedirs(self.path("a", "blobs"))
        with open(self.path("a", "blobs", str(DIGEST)), "wb") as file:
            file.write(BLOB[:2])
        self.add_blob(self.begin(), "a")
        with open(self.path("a", "blobs", str(DIGEST)), "rb") as file:
            self.assertEqual(file.read(), BLOB)

    def test_blobs_elsewhere_in_the_tree(self) -> None:
        """A link to another directory of the tree is followed, and stays."""
        os.makedirs(self.path("store"))
        os.makedirs(self.path("a"))
        os.symlink("../store", self.path("a", "blobs"))
        self.add_blob(self.begin(), "a")
        self.assertEqual(os.listdir(self.path("store")), [str(DIGEST)])
        self.assertEqual(os.readlink(self.path("a", "blobs")), "../store")

    def test_blobs_outside(self) -> None:
        """Nothing is written outside of the tree."""
        outside = self.mktemp()
        os.mkdir(outside)
        os.mkdir(self.path("a"))
        os.symlink(os.path.abspath(outside), self.path("a", "blobs"))
        failure = self.assertRaises(TreeNotWritable, self.add_blob, self.begin(), "a")
        self.assertIn(f"{self.path('a', 'blobs')}: it is a link out of the tree", str(failure))
        self.assertEqual(os.listdir(outside), [])

    def test_lost_blobs(self) -> None:
        """A broken link is reported with what to do."""
        os.mkdir(self.path("a"))
        os.symlink("gone", self.path("a", "blobs"))
        failure = self.assertRaises(TreeNotWritable, self.add_blob, self.begin(), "a")
        self.assertEqual(
            str(failure),
            f"cannot write {self.path('a', 'blobs')}: it is a broken link; remove it",
        )

    def test_tag_file(self) -> None:
        """A tag that was a file is replaced by a link."""
        os.makedirs(self.path("a", "manifests"))
        with open(self.path("a", "manifests", "1"), "wb") as file:
            file.write(b"{}")
        writer = self.begin()
        digest = writer.write_manifest("a", MANIFEST)
        self.assertTrue(writer.tag("a", "1", digest))
        self.assertEqual(os.readlink(self.path("a", "manifests", "1")), str(digest))

    def test_file_in_the_way(self) -> None:
        """A file in place of a directory is reported by its path."""
        with open(self.path("a"), "wb"):
            pass
        failure = self.assertRaises(TreeNotWritable, self.begin().write_manifest, "a/b", MANIFEST)
        self.assertIn(f"cannot write {self.path('a')}: Not a directory", str(failure))
