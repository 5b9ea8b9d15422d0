"""Tests for ``minreg.fill.archives.tar`` and its headers."""

import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.members import FileMember, LinkMember, Member
from minreg.fill.archives.tar import read_tar
from minreg.fill.errors import ArchiveInvalid
from tests.image_archives import Members, make_link, make_tar

FORMS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def read(archive: bytes) -> list[tuple[str, bytes | str]]:
    """Read an archive: files with their contents, links with their targets."""
    return [describe(member) for member in read_tar(io.BytesIO(archive))]


def describe(member: Member) -> tuple[str, bytes | str]:
    """Return a member's path, and its content or target."""
    if isinstance(member, LinkMember):
        return member.path, member.target
    return member.path, b"".join(iter(lambda: member.content.read(100), b""))


def make_header(path: str, kind: bytes, size: int = 0) -> tarfile.TarInfo:
    """Return a member without content."""
    header = tarfile.TarInfo(path)
    header.type, header.size = kind, size
    return header


class ReadTarTests(SynchronousTestCase):
    """Tests for ``read_tar`` with valid archives."""

    def test_files(self) -> None:
        """Files of all sizes are read in the order of the archive, in all formats."""
        members = [(f"a/{size}", b"x" * size) for size in (0, 1, 511, 512, 513, 5000)]
        for form in FORMS:
            self.assertEqual(read(make_tar(members, form)), members)

    def test_long_paths(self) -> None:
        """Paths and targets that do not fit into a header are read in full."""
        path = "/".join(["directory"] * 30)
        members: Members = [(path, b"content"), make_link("link", path)]
        for form in FORMS[1:]:
            self.assertEqual(read(make_tar(members, form)), [(path, b"content"), ("link", path)])

    def test_links(self) -> None:
        """A symbolic link is relative to its directory, a hard link to the archive."""
        members = [
            make_link("1/layer.tar", "../2/layer.tar"),
            make_link("./3/layer.tar", "./2/layer.tar", tarfile.LNKTYPE),
        ]
        expected = [("1/layer.tar", "2/layer.tar"), ("3/layer.tar", "2/layer.tar")]
        self.assertEqual(read(make_tar(members)), expected)

    def test_directories(self) -> None:
        """Directories are skipped."""
        members: Members = [make_header("blobs", tarfile.DIRTYPE), ("./blobs//a", b"a")]
        self.assertEqual(read(make_tar(members)), [("blobs/a", b"a")])

    def test_unread(self) -> None:
        """A file that the caller does not read is skipped."""
        archive = make_tar([("a", b"x" * 5000), ("b", b"y")])
        self.assertEqual([member.path for member in read_tar(io.BytesIO(archive))], ["a", "b"])

    def test_size_in_extension(self) -> None:
        """The size in a pax header replaces the one that does not fit."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            header = make_header("big", tarfile.REGTYPE)
            header.pax_headers = {"size": "3", "comment": "a = b"}
            tar.addfile(header)
            tar.fileobj.write(b"abc".ljust(512, b"\0"))
        self.assertEqual(read(packed.getvalue()), [("big", b"abc")])

    def test_header_for_all(self) -> None:
        """A global pax header, such as a comment, changes no member."""
        packed = io.BytesIO()
        with tarfile.open(
            fileobj=packed,
            mode="w",
            format=tarfile.PAX_FORMAT,
            pax_headers={"comment": "made by hand", "path": "other"},
        ) as tar:
            tar.addfile(tarfile.TarInfo("a"))
        self.assertEqual(read(packed.getvalue()), [("a", b"")])

    def test_many_extensions(self) -> None:
        """Extension headers in a row all apply to the next member, however many there are."""
        record = b"13 comment=x\n"
        extension = make_header("x", tarfile.XHDTYPE, len(record)).tobuf(tarfile.GNU_FORMAT)
        extension += record.ljust(512, b"\0")
        self.assertEqual(read(extension * 2000 + make_tar([("a", b"b")])), [("a", b"b")])

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.text(st.characters(codec="utf-8", exclude_characters="\0/."), min_size=1),
                st.binary(max_size=1100),
            ),
            max_size=4,
        ),
        st.sampled_from(FORMS[1:]),
    )
    def test_any(self, members: list[tuple[str, bytes]], form: int) -> None:
        """Members are read as they were packed."""
        self.assertEqual(read(make_tar(members, form)), members)


class RefusedTarTests(SynchronousTestCase):
    """Tests for ``read_tar`` with damaged or hostile archives."""

    def refuse(self, archive: bytes) -> str:
        """Read an archive that is refused, and return the error."""
        return str(self.assertRaises(ArchiveInvalid, read, archive))

    def refuse_members(self, members: Members) -> str:
        """Do so with an archive with these members."""
        return self.refuse(make_tar(members))

    def test_paths(self) -> None:
        """A path that leads out of the archive is refused."""
        self.assertIn("'../a' leads out of the archive", self.refuse_members([("../a", b"")]))
        self.assertIn("'a/../b' leads out", self.refuse_members([("a/../b", b"")]))
        self.assertIn("'/etc/a' is an absolute path", self.refuse_members([("/etc/a", b"")]))
        self.assertIn("has a path of 2000", self.refuse_members([("a" * 2000, b"")]))
        directory = make_header("..", tarfile.DIRTYPE)
        self.assertIn("'..' leads out", self.refuse_members([directory]))

    def test_links(self) -> None:
        """A link that leads out of the archive is refused."""
        said = self.refuse_members([make_link("a/b", "../../c")])
        self.assertIn("'a/b' is a link out of the archive, to '../../c'", said)
        said = self.refuse_members([make_link("a", "/etc/passwd")])
        self.assertIn("'a' is a link out of the archive, to '/etc/passwd'", said)
        said = self.refuse_members([make_link("a", "../b", tarfile.LNKTYPE)])
        self.assertIn("'../b' leads out of the archive", said)

    def test_devices(self) -> None:
        """Devices, pipes and sparse files are refused."""
        for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE):
            said = self.refuse_members([make_header("dev/sda", kind)])
            self.assertIn("'dev/sda' is neither a file, a directory nor a link", said)

    def test_sparse(self) -> None:
        """Sparse files in a pax header are refused."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            header = make_header("hole", tarfile.REGTYPE)
            header.pax_headers = {"GNU.sparse.major": "1"}
            tar.addfile(header)
        self.assertIn("'hole' is a sparse file", self.refuse(packed.getvalue()))

    def test_cut_short(self) -> None:
        """A truncated archive is refused."""
        archive = make_tar([("a", b"x" * 600), ("b", b"y")])
        for end in range(0, 3 * 1024, 100):
            self.assertIn("the archive is truncated", self.refuse(archive[:end]))
        self.assertIn("the archive is truncated within 'a'", self.refuse(archive[:700]))
        self.assertIn("the archive is truncated within 'a'", self.refuse(archive[:1150]))

    def test_damaged_header(self) -> None:
        """A damaged header is not taken for the end of the archive."""
        archive = bytearray(make_tar([("a", b"x"), ("b", b"y")]))
        archive[1024] ^= 1
        self.assertIn("this is no tar archive, or a damaged one", self.refuse(bytes(archive)))

    def test_text(self) -> None:
        """A text file is no archive, however long."""
        self.assertIn(
            "the archive is truncated, or no tar archive", self.refuse(b"docker.io/a:1\n")
        )
        self.assertIn("this is no tar archive", self.refuse(b"docker.io/a:1\n" * 100))

    def test_followed(self) -> None:
        """Concatenated archives are refused, and not read as the first one."""
        archive = make_tar([("a", b"x")])
        self.assertIn("other data follows the end of the archive", self.refuse(archive + archive))
        self.assertEqual(read(archive + bytes(100_000)), [("a", b"x")])

    def test_large_extension(self) -> None:
        """A large extension header is not read into memory."""
        for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
            header = make_header("x", kind, 10**9).tobuf(tarfile.GNU_FORMAT)
            self.assertIn("the header of a member takes 1000000000", self.refuse(header))

    def test_damaged_extension(self) -> None:
        """A malformed extension header is refused."""
        for content in (b"99 path=a\n", b"path=a\n", b"0 path=a\n", b"7 path\n", b"9 path=a\0"):
            header = make_header("x", tarfile.XHDTYPE, len(content)).tobuf(tarfile.GNU_FORMAT)
            said = self.refuse(header + content.ljust(512, b"\0") + make_tar([("a", b"")]))
            self.assertIn("a pax header is damaged", said)

    def test_sizes(self) -> None:
        """Negative and malformed sizes are refused."""
        said = self.refuse_members([make_header("a", tarfile.REGTYPE, -1)])
        self.assertIn("'a' has a negative size", said)
        for size in (b"-1", b"1e3", b"9" * 20):
            record = b"%d size=%s\n" % (len(size) + 9, size)
            header = make_header("x", tarfile.XHDTYPE, len(record)).tobuf(tarfile.GNU_FORMAT)
            said = self.refuse(header + record.ljust(512, b"\0") + make_tar([("a", b"")]))
            self.assertIn(f"'a' has the invalid size {size.decode()!r}", said)

    @settings(deadline=None)
    @given(st.data())
    def test_turned_bits(self, data: st.DataObject) -> None:
        """A damaged archive is read or refused; nothing else is raised."""
        archive = bytearray(
            make_tar([("a" * 120, b"x" * 600), make_link("b", "a")], tarfile.PAX_FORMAT)
        )
        for at in data.draw(st.lists(st.integers(0, 5000), max_size=8)):
            archive[at] = data.draw(st.integers(0, 255))
        try:
            members = list(read_tar(io.BytesIO(bytes(archive))))
        except ArchiveInvalid:
            return
        self.assertTrue(all(isinstance(member, FileMember | LinkMember) for member in members))
