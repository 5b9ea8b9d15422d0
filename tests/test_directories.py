"""Tests for ``minreg.fill.tree.directories``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import TreeNotWritable
from minreg.fill.tree.directories import Directories, translate_os_errors


class DirectoriesTestCase(SynchronousTestCase):
    """A tree with a directory, and a directory outside of it."""

    def setUp(self) -> None:
        """Create a tree, and a directory beside it."""
        above = os.path.abspath(self.mktemp())
        self.root = os.path.join(above, "tree")
        self.outside = os.path.join(above, "outside")
        os.makedirs(self.path("a", "b"))
        os.makedirs(self.path(".minreg", "new"))
        os.mkdir(self.outside)
        self.directories = Directories(self.root)

    def path(self, *names: str) -> str:
        """Return a path in the tree."""
        return os.path.join(self.root, *names)


class DirectoriesTests(DirectoriesTestCase):
    """Tests for ``Directories``."""

    def where(self, path: str) -> str:
        """Open a directory, and return which one it is, judged by what is created in it."""
        with self.directories.open(path) as directory:
            directory.make_directory("made")
        [made] = [place for place, names, _ in os.walk(self.root) if "made" in names]
        os.rmdir(os.path.join(made, "made"))
        return os.path.relpath(made, self.root)

    def refusal(self, path: str) -> str:
        """Return why a directory is not opened."""
        return str(self.assertRaises(TreeNotWritable, self.directories.open(path).__enter__))

    def test_within(self) -> None:
        """Directories of the tree are opened, also by links that stay in it."""
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
        """A link out of the tree is reported with its target, absolute or relative."""
        for name, target in (("up", "../../outside"), ("far", self.outside)):
            os.symlink(target, self.path("a", name))
            self.assertEqual(
                self.refusal(f"a/{name}"),
                f"cannot write {self.path('a', name)}: it is a link out of the tree, "
                f"to {self.outside}; replace the link by a copy of the directory, or use "
                "another tree",
            )

    def test_beside_the_tree(self) -> None:
        """A directory whose name has the tree's name as a prefix is outside."""
        os.mkdir(f"{self.root}-other")
        os.symlink(f"{self.root}-other", self.path("other"))
        self.assertIn("it is a link out of the tree", self.refusal("other"))

    def test_private(self) -> None:
        """No link may lead into, out of, or within the private directory."""
        os.symlink(".minreg/new", self.path("in"))
        os.symlink("../a", self.path(".minreg", "out"))
        os.symlink("new", self.path(".minreg", "around"))
        os.symlink(self.outside, self.path(".minreg", "away"))
        self.assertIn("it is a link out of the tree", self.refusal("in"))
        for name in ("out", "around", "away"):
            place = self.path(".minreg", name)
            self.assertEqual(
                self.refusal(f".minreg/{name}"),
                f"cannot write {place}: it is a link to {os.path.realpath(place)}, or below one; "
                "remove the link",
            )

    def test_absent(self) -> None:
        """A missing directory is FileNotFoundError; a broken link in a path is reported."""
        self.assertRaises(FileNotFoundError, self.directories.open("b").__enter__)
        os.symlink("gone", self.path("lost"))
        failure = self.assertRaises(TreeNotWritable, self.directories.make, "lost/x")
        self.assertEqual(
            str(failure), f"cannot write {self.path('lost')}: it is a broken link; remove it"
        )

    def test_make(self) -> None:
        """All missing directories are created, but not behind a link out of the tree."""
        self.directories.make("a/c/d")
        self.assertTrue(os.path.isdir(self.path("a", "c", "d")))
        os.symlink(self.outside, self.path("away"))
        self.assertRaises(TreeNotWritable, self.directories.make, "away/x")
        self.assertEqual(os.listdir(self.outside), [])

    def test_in_the_way(self) -> None:
        """A file in place of a directory is reported, and opening a pipe does not block."""
        with open(self.path("file"), "wb"):
            pass
        os.mkfifo(self.path("pipe"))
        os.symlink("circle", self.path("circle"))
        for name in ("file", "pipe"):
            self.assertEqual(
                self.refusal(name),
                f"cannot write {self.path(name)}: Not a directory; remove the file",
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
        """A file is created, or opened as it is."""
        self.open_file("file")
        self.open_file("file")
        self.assertEqual(os.path.getsize(self.path("a", "file")), 1)

    def test_foreign(self) -> None:
        """A link, a pipe or a file with another hard link is neither written nor waited for."""
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
                f"cannot write {self.path('a', name)}: it is no regular file, or has more than "
                "one hard link; remove it",
            )
        self.assertEqual(os.listdir(self.outside), ["victim"])
        with open(victim, "rb") as file:
            self.assertEqual(file.read(), b"precious")


class TranslateOsErrorsTests(SynchronousTestCase):
    """Tests for ``translate_os_errors``."""

    def test_full_disk(self) -> None:
        """A full disk is reported with what to do."""

        def fill_disk() -> None:
            with translate_os_errors("/srv/registry/blobs/x"):
                # What the kernel says is what is under test, and /dev/full says it.
                with open("/dev/full", "wb", buffering=0) as full:
                    full.write(b"x")

        failure = self.assertRaises(TreeNotWritable, fill_disk)
        self.assertEqual(
            str(failure),
            "cannot write /srv/registry/blobs/x: No space left on device; "
            "free disk space, then start again: what is complete stays",
        )
