"""Tests for ``minreg.fill.tree.atomic``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import TreeNotWritable
from minreg.fill.tree.atomic import AtomicFiles, make_directories
from minreg.fill.tree.directories import Directories, Directory


class NewFilesTests(SynchronousTestCase):
    """Tests for ``AtomicFiles``."""

    def setUp(self) -> None:
        """Make a directory for files in the making, and one for where they go."""
        self.root = self.mktemp()
        self.making = os.path.join(self.root, "making")
        os.makedirs(self.making)
        self.new = AtomicFiles(self.open("making"))
        self.directory = self.open("")
        self.path = os.path.join(self.root, "file")

    def open(self, path: str) -> Directory:
        """Open a directory until the test ends."""
        opening = Directories(self.root).open(path)
        self.addCleanup(opening.__exit__, None, None, None)
        return opening.__enter__()

    def test_file_replaces_file(self) -> None:
        """A file takes another's place, and nothing is left of its making."""
        self.new.place_file(self.directory, "file", b"old, and longer")
        self.new.place_file(self.directory, "file", b"new")
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), b"new")
        self.assertEqual(os.listdir(self.making), [])

    def test_old_file_is_not_written_into(self) -> None:
        """Whoever has the old file open reads on in the old file."""
        self.new.place_file(self.directory, "file", b"old")
        with open(self.path, "rb") as file:
            self.new.place_file(self.directory, "file", b"new")
            self.assertEqual(file.read(), b"old")

    def test_link_replaces_file(self) -> None:
        """A link may take a file's place."""
        self.new.place_file(self.directory, "file", b"old")
        self.new.place_link(self.directory, "file", "elsewhere")
        self.assertEqual(os.readlink(self.path), "elsewhere")

    def test_hard_link(self) -> None:
        """A hard link is the same file."""
        os.mkdir(os.path.join(self.root, "other"))
        source = self.open("other")
        self.new.place_file(source, "file", b"content")
        self.new.place_hard_link(self.directory, "file", source)
        self.assertTrue(os.path.samefile(source.path_of("file"), self.path))

    def test_directory_in_the_way(self) -> None:
        """What cannot be replaced is reported with the mend, and nothing is left behind."""
        os.mkdir(self.path)
        failure = self.assertRaises(
            TreeNotWritable, self.new.place_file, self.directory, "file", b"new"
        )
        self.assertEqual(
            str(failure),
            f"cannot write {self.path}: Is a directory; remove the directory that is in the way",
        )
        self.assertEqual(os.listdir(self.making), [])

    def test_leftovers(self) -> None:
        """What a killed process was making goes away."""
        with open(os.path.join(self.making, "0"), "wb") as file:
            file.write(b"half")
        self.new.discard_leftovers()
        self.assertEqual(os.listdir(self.making), [])


class MakeDirectoriesTests(SynchronousTestCase):
    """Tests for ``make_directories``."""

    def test_made(self) -> None:
        """All that is missing is made."""
        path = os.path.join(self.mktemp(), "a", "b")
        make_directories(path)
        self.assertTrue(os.path.isdir(path))

    def test_file_in_the_way(self) -> None:
        """A file where a directory belongs is reported."""
        path = self.mktemp()
        with open(path, "wb"):
            pass
        failure = self.assertRaises(TreeNotWritable, make_directories, os.path.join(path, "a"))
        self.assertIn(f"cannot write {os.path.abspath(path)}: Not a directory", str(failure))
