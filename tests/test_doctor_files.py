"""Tests for ``minreg.k3s.doctor.node_files``: files of a node are not trusted."""

import errno
import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from minreg.k3s.doctor.node_files import CLOSED, MAX_FILE_BYTES, MAX_TOTAL_BYTES, NodeFiles
from tests.doctor_support import another_user

_NAMES = st.sampled_from(["a", "b", "..", ".", "", "../..", "/etc", "/a/b", "\n"])


class NodeFilesTests(SynchronousTestCase):
    """Tests for ``NodeFiles``."""

    def setUp(self) -> None:
        """Make a node with a file, and a file that is not its own."""
        parent = os.path.abspath(self.mktemp())
        self.prefix = os.path.join(parent, "node")
        os.makedirs(os.path.join(self.prefix, "etc"))
        self.files = NodeFiles(self.prefix)
        self.write("node/etc/a", b"inside")
        self.write("a", b"outside")
        self.write("etc-a", b"outside")

    def write(self, name: str, content: bytes) -> None:
        """Write a file beside or below the node."""
        with open(os.path.join(os.path.dirname(self.prefix), name), "wb") as file:
            file.write(content)

    def link(self, path: str, target: str) -> None:
        """Make a link on the node."""
        os.symlink(target, self.prefix + path)

    def read(self, path: str) -> bytes | None:
        """Read a file of the node."""
        file = self.files.read(path)
        return file.content if file is not None else None

    def test_read(self) -> None:
        """A file is read; one that is not there is nothing to note."""
        self.assertEqual(self.read("/etc/a"), b"inside")
        self.assertIsNone(self.read("/etc/none"))
        self.assertIsNone(self.read("/etc/a/b"))
        self.assertEqual(self.files.unread, {})

    def test_links(self) -> None:
        """Links lead where they lead on the node itself."""
        self.link("/absolute", "/etc/a")
        self.link("/relative", "etc/../etc/a")
        self.link("/etc/up", "../../../etc/a")
        self.link("/directory", "/etc")
        for path in ("/absolute", "/relative", "/etc/up", "/directory/a", "/directory/up"):
            self.assertEqual(self.read(path), b"inside", path)
        self.assertEqual(self.files.link("/absolute"), "/etc/a")
        self.assertIsNone(self.files.link("/etc/a"))

    def test_circle(self) -> None:
        """Links that lead in a circle are noted."""
        self.link("/etc/b", "c")
        self.link("/etc/c", "b")
        self.assertIsNone(self.read("/etc/b"))
        self.assertEqual(self.files.unread["/etc/b"], os.strerror(errno.ELOOP))
        self.assertIsNone(self.files.status("/etc/c"))
        self.assertEqual(self.files.names("/etc/c"), [])

    @given(st.lists(_NAMES, max_size=4), st.lists(_NAMES, max_size=4))
    def test_enclosed(self, names: list[str], target: list[str]) -> None:
        """No path and no link leads out of the node."""
        place = os.path.join(self.prefix, "link")
        if os.path.lexists(place):
            os.unlink(place)
        os.symlink("/".join(target) or ".", place)
        for path in ("/".join(names), f"/link/{'/'.join(names)}", f"../link/{'/'.join(names)}"):
            try:
                located = os.path.realpath(self.files.resolve(path))
            except OSError:
                continue
            self.assertEqual(os.path.commonpath([located, self.prefix]), self.prefix)

    def test_no_file(self) -> None:
        """FIFOs, devices and directories are not opened, because that might block."""
        os.mkfifo(self.prefix + "/fifo")
        try:
            os.mknod(self.prefix + "/device", 0o20600, os.makedev(1, 5))
        except PermissionError:
            raise SkipTest("needs root: only root makes devices") from None
        for path in ("/fifo", "/device", "/etc"):
            self.assertIsNone(self.read(path))
            self.assertEqual(self.files.unread[path], "it is not a regular file")
            self.assertFalse(self.files.is_file(path))

    def test_no_names(self) -> None:
        """What can be no file's name is noted, and nothing is."""
        for path in ("/etc/a\0", "/\ud800"):
            self.assertIsNone(self.read(path))
            self.assertEqual(self.files.names(path), [])
            self.assertFalse(self.files.is_file(path))
            self.assertEqual(self.files.unread[path], "no file can have this name")

    def test_large(self) -> None:
        """Of a large file no more is read than shows that it is too large."""
        self.write("node/etc/large", b"")
        os.truncate(self.prefix + "/etc/large", 1 << 40)
        self.assertEqual(len(self.read("/etc/large") or b""), MAX_FILE_BYTES + 1)

    def test_much(self) -> None:
        """The total size of all files is limited; the reason for others is recorded."""
        self.write("node/etc/large", b"")
        os.truncate(self.prefix + "/etc/large", 1 << 20)
        for number in range(100):
            self.link(f"/etc/{number}", "/etc/large")
        read = [self.files.read(f"/etc/{number}") for number in range(100)]
        self.assertLessEqual(len(read) - read.count(None), MAX_TOTAL_BYTES // MAX_FILE_BYTES + 1)
        self.assertIn("were read before it", self.files.unread["/etc/99"])

    def test_closed(self) -> None:
        """What this user may not read is noted."""
        os.chmod(self.prefix + "/etc/a", 0)
        os.makedirs(self.prefix + "/root/b")
        os.chmod(self.prefix + "/root", 0o700)
        with another_user(self.prefix, "/root"):
            self.assertIsNone(self.read("/etc/a"))
            self.assertIsNone(self.read("/root/b/c"))
            self.assertEqual(self.files.names("/root"), [])
            self.assertFalse(self.files.is_directory("/root/b"))
            self.assertEqual(self.files.names("/etc"), ["a"])
        self.assertEqual(
            self.files.unread,
            dict.fromkeys(("/etc/a", "/root/b/c", "/root", "/root/b"), CLOSED),
        )

    def test_names(self) -> None:
        """Entries are named in order; without a directory there are none."""
        self.write("node/etc/B", b"")
        self.assertEqual(self.files.names("/etc"), ["B", "a"])
        self.assertEqual(self.files.names("/none"), [])
        self.assertTrue(self.files.is_directory("/etc"))
        self.assertFalse(self.files.is_directory("/etc/a"))

    def test_live(self) -> None:
        """Only the running system's root is live."""
        self.assertFalse(self.files.is_live)
        self.assertTrue(NodeFiles("/").is_live)
