"""Tests for ``minreg.store.rooted``: functions that open no file."""

import os

from minreg.store.interfaces import ContentInvalid, StoreUnavailable
from minreg.store.rooted import directory_status, is_file
from tests.store_support import RootedTestCase, without_privileges


class LookTests(RootedTestCase):
    """Tests for the status of files and directories."""

    def test_scan(self) -> None:
        """The status of a directory is from before it was read."""
        with self.files.scan("a") as (status, entries):
            self.assertEqual([entry.name for entry in entries], ["file"])
        self.assertEqual(status.st_ino, os.stat(self.tree.path("a")).st_ino)

    def test_scan_of_others(self) -> None:
        """Only directories inside the root are scanned."""
        os.mkfifo(self.tree.path("fifo"))
        os.symlink(self.outside, self.tree.path("away"))
        for path, expected in (
            ("b", FileNotFoundError),
            ("fifo", FileNotFoundError),
            ("a/file", FileNotFoundError),
            ("away", ContentInvalid),
        ):
            self.refusal(expected, self.files.scan(path).__enter__)

    def test_scan_that_is_given_up(self) -> None:
        """A directory is closed if its iteration is abandoned."""
        with self.assertRaises(KeyError):
            with self.files.scan("a"):
                raise KeyError

    def test_status(self) -> None:
        """``checked_stat`` refuses a path outside of the root."""
        os.symlink(self.outside, self.tree.path("away"))
        self.assertEqual(self.files.checked_stat("a").st_ino, os.stat(self.tree.path("a")).st_ino)
        self.refusal(FileNotFoundError, self.files.checked_stat, "b")
        self.refusal(ContentInvalid, self.files.checked_stat, "away")

    def test_is_directory(self) -> None:
        """A link to a directory is one; a cycle of links is an error."""
        os.symlink("a", self.tree.path("link"))
        os.symlink("circle", self.tree.path("circle"))
        self.assertTrue(self.files.is_directory("a"))
        self.assertTrue(self.files.is_directory("link"))
        for path in ("a/file", "b", "a/file/b", "x" * 256):
            self.assertFalse(self.files.is_directory(path), path)
        self.refusal(ContentInvalid, self.files.is_directory, "circle")

    def test_links(self) -> None:
        """A broken link exists, and has no status."""
        os.symlink("nowhere", self.tree.path("lost"))
        self.assertTrue(self.files.exists("lost"))
        self.assertFalse(self.files.exists("b"))
        self.assertEqual(self.files.read_link("lost"), "nowhere")
        self.assertIsNone(self.files.read_link("a"))
        self.assertIsNone(self.files.read_link("b"))
        self.assertIsNone(self.files.stat("lost"))
        self.assertIsNotNone(self.files.stat("a"))

    def test_root(self) -> None:
        """``check_root`` raises an error as soon as the root is removed."""
        self.files.check_root()
        os.rename(self.root, f"{self.root}.old")
        error = self.refusal(StoreUnavailable, self.files.check_root)
        self.assertEqual(str(error), f"root {self.root}: No such file or directory")

    def test_root_that_cannot_be_read(self) -> None:
        """A root without read permission is an error, and not empty."""
        self.addCleanup(os.chmod, self.root, 0o755)
        for mode in (0, 0o111, 0o444):
            os.chmod(self.root, mode)
            with without_privileges(os.path.dirname(self.root)):
                error = self.refusal(StoreUnavailable, self.files.check_root)
            self.assertEqual(
                str(error),
                f"root {self.root} cannot be read by this user: give it permission "
                "(chmod -R a+rX), also for the directories above (chmod a+x)",
            )

    def test_entries(self) -> None:
        """Broken links and cycles of links do not prevent listing a directory."""
        os.symlink("circle", self.tree.path("circle"))
        os.symlink("nowhere", self.tree.path("lost"))
        os.symlink("a", self.tree.path("directory"))
        os.symlink("a/file", self.tree.path("file"))
        with self.files.scan(".") as (_, entries):
            kinds = {
                entry.name: (is_file(entry), directory_status(entry) is not None)
                for entry in entries
            }
        self.assertEqual(
            kinds,
            {
                "a": (False, True),
                "blobs": (False, True),
                "circle": (False, False),
                "directory": (False, True),
                "file": (True, False),
                "lost": (False, False),
            },
        )
