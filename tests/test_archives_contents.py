"""Tests for ``minreg.fill.archives.contents``."""

import tarfile
from itertools import pairwise

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.contents import MAX_DOCUMENT, MAX_MEMBERS, ArchiveContents
from minreg.fill.archives.members import LinkMember
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import Digest
from tests.archives_support import MemoryStaging, read_members
from tests.image_archives import Members, blob, make_link

CONTENT = b"content"
DIGEST = Digest.of(CONTENT)


class ContentsTests(SynchronousTestCase):
    """Tests for ``ArchiveContents``."""

    def refuse(self, members: Members) -> str:
        """Read an archive that is refused, and return the error."""
        return str(self.assertRaises(ArchiveInvalid, read_members, members))

    def test_by_digest(self) -> None:
        """A file is found by its digest, whatever its path."""
        contents = read_members([("abc.json", CONTENT)])
        self.assertEqual(contents.read_file(DIGEST), CONTENT)
        self.assertEqual(contents.size_of(DIGEST), len(CONTENT))
        self.assertIsNone(contents.size_of(Digest.of(b"")))

    def test_made_manifest(self) -> None:
        """A generated manifest is read like any other."""
        contents = read_members([])
        self.assertEqual(contents.read_file(contents.add_manifest(CONTENT)), CONTENT)

    def test_digest_in_path(self) -> None:
        """The digest in a path is used, of either algorithm; other paths have none."""
        digest = Digest.of(CONTENT, "sha512")
        contents = read_members(
            [(f"blobs/sha512/{digest.encoded}", CONTENT), ("blobs/sha256/ab", b"other")]
        )
        self.assertEqual(contents.read_file(digest), CONTENT)
        self.assertEqual(contents.read_file(Digest.of(b"other")), b"other")

    def test_links(self) -> None:
        """A file is found through links to links, in any order."""
        members: Members = [
            make_link("1/layer.tar", "../2/layer.tar"),
            ("3/layer.tar", CONTENT),
            make_link("2/layer.tar", "3/layer.tar", tarfile.LNKTYPE),
        ]
        found = read_members(members).find("1/layer.tar")
        self.assertEqual(found and found.digest, DIGEST)

    def test_lost_link(self) -> None:
        """A broken link is no error until it is used."""
        self.assertIsNone(read_members([make_link("a", "b")]).find("a"))

    def test_long_chain(self) -> None:
        """A chain of links is followed in linear time."""
        looked_up = []

        class Path(str):
            """A path that records when it is looked up."""

            __slots__ = ()

            def __hash__(self) -> int:
                looked_up.append(self)
                return super().__hash__()

        contents = ArchiveContents(MemoryStaging())
        paths = [Path(f"{number:05}") for number in range(MAX_MEMBERS // 2)]
        for path, target in pairwise(paths):
            contents.add(LinkMember(path, target))
        contents.check_links()
        self.assertLess(len(looked_up), 20 * len(paths))

    def test_same_member(self) -> None:
        """A repeated member is counted each time."""
        contents = ArchiveContents(MemoryStaging())
        for _ in range(MAX_MEMBERS):
            contents.add(LinkMember("a", "b"))
        refusal = self.assertRaises(ArchiveInvalid, contents.add, LinkMember("a", "b"))
        self.assertIn(f"more than {MAX_MEMBERS} members", str(refusal))

    def test_circle(self) -> None:
        """A loop of links is refused, used or not, and one of them is named."""
        said = self.refuse([make_link("a", "b"), make_link("b", "c"), make_link("c", "b")])
        self.assertIn("'b' is part of a loop of links", said)
        self.assertIn("'a' is part of a loop", self.refuse([make_link("a", "a")]))

    def test_twice(self) -> None:
        """Members with the same path must have the same content."""
        read_members([blob(CONTENT), blob(CONTENT), ("index.json", b"{}"), ("index.json", b"{}")])
        differing: tuple[Members, ...] = (
            [("a", b"1"), ("a", b"2")],
            [("a", b"1"), make_link("a", "b")],
            [make_link("a", "b"), make_link("a", "c")],
            [("a", b"1"), ("./a", b"2")],
        )
        for members in differing:
            self.assertIn(
                "'a' is in the archive twice, with different content", self.refuse(members)
            )
        said = self.refuse([("index.json", b"{}"), ("index.json", b"[]")])
        self.assertIn("'index.json' is in the archive twice", said)

    def test_large_document(self) -> None:
        """A large document is not read into memory."""
        said = self.refuse([("manifest.json", bytes(MAX_DOCUMENT + 1))])
        self.assertIn("'manifest.json' has 4194305 bytes, more than a client accepts", said)
        contents = read_members([("a", bytes(MAX_DOCUMENT + 1))])
        digest = Digest.of(bytes(MAX_DOCUMENT + 1))
        self.assertIn(
            str(digest), str(self.assertRaises(ArchiveInvalid, contents.read_file, digest))
        )

    def test_many_members(self) -> None:
        """The number of members is limited."""
        contents = ArchiveContents(MemoryStaging())
        for number in range(MAX_MEMBERS):
            contents.add(LinkMember(str(number), "a"))
        failure = self.assertRaises(ArchiveInvalid, contents.add, LinkMember("one more", "a"))
        self.assertIn("the archive has more than 20000 members", str(failure))

    def test_available(self) -> None:
        """A blob is available with its size, in the archive or in the tree."""
        held = Digest.of(b"held")
        contents = read_members([blob(CONTENT)], {held: 4})
        for digest, size in ((DIGEST, len(CONTENT)), (held, 4)):
            self.assertTrue(contents.is_available(digest, size))
            self.assertFalse(contents.is_available(digest, size + 1))
        self.assertFalse(contents.is_available(Digest.of(b""), 0))

    def test_commit(self) -> None:
        """A file is committed by its digest; a digest of the tree needs nothing."""
        contents = read_members([("a", CONTENT)])
        contents.commit(Digest.of(b"held"))
        contents.commit(DIGEST)
        found = contents.find("a")
        self.assertTrue(getattr(found, "is_committed", False))
