"""Tests for ``minreg.fill.tree.staging``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import TreeNotWritable
from minreg.fill.tree.directories import Directories, Directory
from minreg.fill.tree.staging import AtomicFiles, make_directories


class AtomicFilesTests(SynchronousTestCase):
    """Tests for ``AtomicFiles``."""

    def setUp(self) -> None:
        """Create a staging directory, and a directory that files are moved to."""
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
        """A file is replaced, and the staging directory is empty afterwards."""
        self.new.write_file(self.directory, "file", b"old, and longer")
        self.new.write_file(self.directory, "file", b"new")
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), b"new")
        self.assertEqual(os.listdir(self.making), [])

    def test_old_file_is_not_written_into(self) -> None:
        """A reader of the old file continues to read the old content."""
        self.new.write_file(self.directory, "file", b"old")
        with open(self.path, "rb") as file:
            self.new.write_file(self.directory, "file", b"new")
            self.assertEqual(file.read(), b"old")

    def test_link_replaces_file(self) -> None:
        """A link can replace a file."""
        self.new.write_file(self.directory, "file", b"old")
        self.new.write_symbolic_link(self.directory, "file", "elsewhere")
        self.assertEqual(os.readlink(self.path), "elsewhere")

    def test_hard_link(self) -> None:
        """A hard link is the same file."""
        os.mkdir(os.path.join(self.root, "other"))
        source = self.open("other")
        self.new.write_file(source, "file", b"content")
        self.new.write_hard_link(self.directory, "file", source)
        self.assertTrue(os.path.samefile(source.path_of("file"), self.path))

    def test_directory_in_the_way(self) -> None:
        """A directory is not replaced; the error says what to do, and no temporary file stays."""
        os.mkdir(self.path)
        failure = self.assertRaises(
            TreeNotWritable, self.new.write_file, self.directory, "file", b"new"
        )
        self.assertEqual(
            str(failure),
            f"cannot write {self.path}: Is a directory; remove the directory",
        )
        self.assertEqual(os.listdir(self.making), [])

    def test_leftovers(self) -> None:
        """The temporary files of a killed process are removed."""
        with open(os.path.join(self.making, "0"), "wb") as file:
            file.write(b"half")
        self.new.remove_leftovers()
        self.assertEqual(os.listdir(self.making), [])


class MakeDirectoriesTests(SynchronousTestCase):
    """Tests for ``make_directories``."""

    def test_made(self) -> None:
        """All missing directories are created."""
        path = os.path.join(self.mktemp(), "a", "b")
        make_directories(path)
        self.assertTrue(os.path.isdir(path))

    def test_file_in_the_way(self) -> None:
        """A file in place of a directory is reported."""
        path = self.mktemp()
        with open(path, "wb"):
            pass
        failure = self.assertRaises(TreeNotWritable, make_directories, os.path.join(path, "a"))
        self.assertIn(f"cannot write {os.path.abspath(path)}: Not a directory", str(failure))
