"""Tests for ``minreg.fill.archives.source`` and ``directory``."""

import io
import os

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.members import LinkMember
from minreg.fill.archives.source import describe_part, open_members
from minreg.fill.errors import ArchiveInvalid
from tests.image_archives import make_tar

ARCHIVE = make_tar([("index.json", b"{}")])


def read(source: str, standard_input: bytes = b"") -> list[tuple[str, bytes | str]]:
    """Read an archive: files with their contents, links with their targets."""
    with open_members(source, io.BytesIO(standard_input)) as members:
        return [
            (
                member.path,
                member.target if isinstance(member, LinkMember) else member.content.read(99),
            )
            for member in members
        ]


class OpenMembersTests(SynchronousTestCase):
    """Tests for ``open_members``."""

    def setUp(self) -> None:
        """Create a directory that is an archive."""
        self.directory = self.mktemp()
        os.makedirs(os.path.join(self.directory, "blobs", "sha256"))
        self.write("index.json", b"{}")

    def write(self, path: str, content: bytes) -> None:
        """Write a file into the directory."""
        with open(os.path.join(self.directory, path), "wb") as file:
            file.write(content)

    def refuse(self, source: str) -> str:
        """Read a source that is refused, and return the error."""
        return str(self.assertRaises(ArchiveInvalid, read, source))

    def test_file(self) -> None:
        """A file is read, whatever its name."""
        self.write("holiday.jpg", ARCHIVE)
        members = read(os.path.join(self.directory, "holiday.jpg"))
        self.assertEqual(members, [("index.json", b"{}")])

    def test_standard_input(self) -> None:
        """``-`` is standard input."""
        self.assertEqual(read("-", ARCHIVE), [("index.json", b"{}")])

    def test_directory(self) -> None:
        """A directory is read sorted by name, links as links."""
        self.write("blobs/sha256/b", b"b")
        self.write("a", b"a")
        os.symlink("../blobs/sha256/b", os.path.join(self.directory, "blobs", "c"))
        self.assertEqual(
            read(self.directory),
            [
                ("a", b"a"),
                ("blobs/c", "blobs/sha256/b"),
                ("blobs/sha256/b", b"b"),
                ("index.json", b"{}"),
            ],
        )

    def test_link_out_of_directory(self) -> None:
        """A link out of the directory is refused, and its target not read."""
        os.symlink("/etc", os.path.join(self.directory, "a"))
        self.assertIn("'a' is a link out of the archive, to '/etc'", self.refuse(self.directory))

    def test_fifo_in_directory(self) -> None:
        """A pipe is refused, and does not block."""
        os.mkfifo(os.path.join(self.directory, "a"))
        self.assertIn("'a' is neither a file, a directory", self.refuse(self.directory))

    def test_deep_directory(self) -> None:
        """Endlessly nested directories are refused by the length of their path."""
        self.write("index.json", b"{}")
        below = self.directory
        for _ in range(1200):
            below = os.path.join(below, "d")
            os.mkdir(below)
        # What removes the tests' directories later would not reach the end either.
        self.addCleanup(os.removedirs, below)
        self.assertIn("has a path of 1025 characters", self.refuse(self.directory))

    def test_directory_of_archives(self) -> None:
        """A directory that is no archive is refused before it is read."""
        self.assertEqual(
            self.refuse(os.path.join(self.directory, "blobs")),
            "the directory has neither an index.json nor a manifest.json, so it is no image "
            "archive; name the archives in it",
        )

    def test_directory_below(self) -> None:
        """A directory with an archive in a directory is refused, and this is named."""
        os.mkdir(os.path.join(self.directory, "blobs", "images"))
        self.write("blobs/images/index.json", b"{}")
        self.assertEqual(
            self.refuse(os.path.join(self.directory, "blobs")),
            "the image archive is in its directory 'images'; import that directory",
        )

    def test_absent(self) -> None:
        """A missing or unreadable source is reported by its path."""
        path = os.path.join(self.directory, "absent")
        self.assertEqual(self.refuse(path), f"cannot read {path}: No such file or directory")


class DescribePartTests(SynchronousTestCase):
    """Tests for ``describe_part``."""

    def describe(self, *names: str) -> str:
        """Return what is said about the first of some files."""
        directory = self.mktemp()
        os.mkdir(directory)
        for name in names:
            with open(os.path.join(directory, name), "wb"):
                pass
        said = describe_part(os.path.join(directory, names[0]))
        return said.replace(f"{directory}/", "")

    def test_parts(self) -> None:
        """The parts that Hauler writes are to be joined."""
        for first, second, pattern in (
            ("a.tar.zst.001", "a.tar.zst.002", "a.tar.zst.???"),
            ("a.tar.010", "a.tar.009", "a.tar.???"),
            ("haul_0.tar.zst", "haul_1.tar.zst", "haul_?.tar.zst"),
        ):
            said = f"this is one part of an archive; join all: cat {pattern} | minreg import -"
            self.assertEqual(self.describe(first, second), said)

    def test_others(self) -> None:
        """A file alone, and one of another name, is no part."""
        self.assertEqual(self.describe("a.tar.zst.001", "a.tar.zst.003"), "")
        self.assertEqual(self.describe("haul_0.tar.zst"), "")
        self.assertEqual(self.describe("a.tar", "b.tar"), "")
