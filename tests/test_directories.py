"""Tests for ``minreg.fill.tree.directories``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import TreeNotWritable
from minreg.fill.tree.directories import Directories, writing


class DirectoriesTestCase(SynchronousTestCase):
    """A tree with a directory, and a directory outside of it."""

    def setUp(self) -> None:
        """Have a tree, and a directory beside it."""
        above = os.path.abspath(self.mktemp())
        self.root = os.path.join(above, "tree")
        self.outside = os.path.join(above, "outside")
        os.makedirs(self.path("a", "b"))
        os.makedirs(self.path(".minreg", "new"))
        os.mkdir(self.outside)
        self.directories = Directories(self.root)

    def path(self, *names: str) -> str:
        """Name a path in the tree."""
        return os.path.join(self.root, *names)


class DirectoriesTests(DirectoriesTestCase):
    """Tests for ``Directories``."""

    def where(self, path: str) -> str:
        """Open a directory, and tell which it is by what is made in it."""
        with self.directories.open(path) as directory:
            directory.make_directory("made")
        [made] = [place for place, names, _ in os.walk(self.root) if "made" in names]
        os.rmdir(os.path.join(made, "made"))
        return os.path.relpath(made, self.root)

    def refusal(self, path: str) -> str:
        """Tell why a directory is not opened."""
        return str(self.assertRaises(TreeNotWritable, self.directories.open(path).__enter__))

    def test_within(self) -> None:
        """Directories of the tree are opened, by links that stay in it, too."""
        os.symlink("a/b", self.path("link"))
        os.symlink(self.path("a"), self.path("absolute"))
        for path, place in (("", "."), ("a/b", "a/b"), ("link", "a/b"), ("absolute/b", "a/b")):
            self.assertEqual(self.where(path), place, path)
        self.assertEqual(self.where(".minreg/new"), ".minreg/new")

    def test_linked_root(self) -> None:
        """The root itself may be a link."""
        os.symlink(self.root, f"{self.root}-link")
        self.directories = Directories(f"{self.root}-link")
        self.assertEqual(self.where("a"), "a")

    def test_out_of_the_tree(self) -> None:
        """A link that leads out is told with where it leads, however it does."""
        for name, target in (("up", "../../outside"), ("far", self.outside)):
            os.symlink(target, self.path("a", name))
            self.assertEqual(
                self.refusal(f"a/{name}"),
                f"{self.path('a', name)} leads out of the tree, to {self.outside}: "
                "put the content in its place, or fill another directory",
            )

    def test_beside_the_tree(self) -> None:
        """A directory whose name only begins as the tree's does is outside."""
        os.mkdir(f"{self.root}-other")
        os.symlink(f"{self.root}-other", self.path("other"))
        self.assertIn("leads out of the tree", self.refusal("other"))

    def test_private(self) -> None:
        """No link leads into what is minreg's own, nor out of it, nor around in it."""
        os.symlink(".minreg/new", self.path("in"))
        os.symlink("../a", self.path(".minreg", "out"))
        os.symlink("new", self.path(".minreg", "around"))
        os.symlink(self.outside, self.path(".minreg", "away"))
        self.assertIn("leads out", self.refusal("in"))
        for name in ("out", "around", "away"):
            place = self.path(".minreg", name)
            self.assertEqual(
                self.refusal(f".minreg/{name}"),
                f"{place} is a link, or below one, and leads to {os.path.realpath(place)}: "
                "remove the link",
            )

    def test_absent(self) -> None:
        """A directory that is not there is no fault of the tree, unless it must be there."""
        self.assertRaises(FileNotFoundError, self.directories.open("b").__enter__)
        os.symlink("gone", self.path("lost"))
        failure = self.assertRaises(TreeNotWritable, self.directories.make, "lost/x")
        self.assertEqual(str(failure), f"{self.path('lost')} leads to no directory: remove it")

    def test_make(self) -> None:
        """All that is missing is made, but not behind a link that leads out."""
        self.directories.make("a/c/d")
        self.assertTrue(os.path.isdir(self.path("a", "c", "d")))
        os.symlink(self.outside, self.path("away"))
        self.assertRaises(TreeNotWritable, self.directories.make, "away/x")
        self.assertEqual(os.listdir(self.outside), [])

    def test_in_the_way(self) -> None:
        """What is no directory is told, and a pipe is never waited for."""
        with open(self.path("file"), "wb"):
            pass
        os.mkfifo(self.path("pipe"))
        os.symlink("circle", self.path("circle"))
        for name in ("file", "pipe"):
            self.assertEqual(
                self.refusal(name),
                f"cannot write {self.path(name)}: Not a directory; "
                "remove the file that is in the way",
            )
        self.assertIn("remove the link", self.refusal("circle"))


class OpenFileTests(DirectoriesTestCase):
    """Tests for ``Directory.open_file``."""

    def open_file(self, name: str) -> None:
        """Open a file in the directory ``a`` for writing, and write into it."""
        with self.directories.open("a") as directory:
            descriptor = directory.open_file(name, os.O_RDWR | os.O_CREAT)
            os.write(descriptor, b"x")
            os.close(descriptor)

    def test_file(self) -> None:
        """A file is made, or opened as it is."""
        self.open_file("file")
        self.open_file("file")
        self.assertEqual(os.path.getsize(self.path("a", "file")), 1)

    def test_foreign(self) -> None:
        """What is no file of its own is not written into, and not waited for."""
        victim = os.path.join(self.outside, "victim")
        with open(victim, "wb") as file:
            file.write(b"precious")
        os.symlink(victim, self.path("a", "link"))
        os.symlink(os.path.join(self.outside, "new"), self.path("a", "lost"))
        os.link(victim, self.path("a", "other-name"))
        os.mkfifo(self.path("a", "pipe"))
        for name in ("link", "lost", "other-name", "pipe"):
            failure = self.assertRaises(TreeNotWritable, self.open_file, name)
            self.assertEqual(
                str(failure),
                f"{self.path('a', name)} is no plain file of its own, but a link, a pipe or the "
                "like, or a file that has another name, too: remove it",
            )
        self.assertEqual(os.listdir(self.outside), ["victim"])
        with open(victim, "rb") as file:
            self.assertEqual(file.read(), b"precious")


class WritingTests(SynchronousTestCase):
    """Tests for ``writing``."""

    def test_full_disk(self) -> None:
        """A full disk is reported as that, with what to do."""

        def fill_disk() -> None:
            with writing("/srv/registry/blobs/x"):
                # What the kernel says is what is under test, and /dev/full says it.
                with open("/dev/full", "wb", buffering=0) as full:
                    full.write(b"x")

        failure = self.assertRaises(TreeNotWritable, fill_disk)
        self.assertEqual(
            str(failure),
            "cannot write /srv/registry/blobs/x: No space left on device; "
            "make room on the disk, then start again: what is complete stays",
        )
