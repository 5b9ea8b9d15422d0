"""Tests for ``minreg.node.managed_files``."""

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.managed_files import write_file


class WriteFileTests(SynchronousTestCase):
    """Tests for ``write_file``."""

    def setUp(self) -> None:
        """Choose a file in a directory that does not exist yet."""
        self.directory = self.mktemp()
        self.path = os.path.join(self.directory, "file")

    def mode(self) -> int:
        """Return the mode of the file."""
        return stat.S_IMODE(os.stat(self.path).st_mode)

    def test_write(self) -> None:
        """The file has its text, and there is no other file."""
        write_file(self.path, "a\r\né\n")
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), "a\r\né\n".encode())
        self.assertEqual((os.listdir(self.directory), self.mode()), (["file"], 0o644))

    def test_leftover(self) -> None:
        """A temporary file of an interrupted run is replaced, and not followed."""
        os.mkdir(self.directory)
        os.symlink("elsewhere", f"{self.path}.minreg-new")
        write_file(self.path, "a")
        self.assertEqual(os.listdir(self.directory), ["file"])

    def test_rights(self) -> None:
        """A file that other users may not read keeps its mode."""
        write_file(self.path, "a", 0o600)
        self.assertEqual(self.mode(), 0o600)
        write_file(self.path, "b")
        self.assertEqual(self.mode(), 0o600)

    def test_failure(self) -> None:
        """If the new file cannot be written, the old one is unchanged."""
        write_file(self.path, "a")
        self.assertRaises(UnicodeEncodeError, write_file, self.path, "\ud800")
        with open(self.path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "a")
        os.mkdir(f"{self.path}s")
        self.assertRaises(IsADirectoryError, write_file, f"{self.path}s", "a")
        self.assertEqual(sorted(os.listdir(self.directory)), ["file", "files"])
