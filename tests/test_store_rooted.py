"""Tests for ``minreg.store.rooted``: nothing outside of the root is ever opened."""

import os
import resource
import stat

from minreg.store.interfaces import ContentInvalid, ContentUnreadable, StoreUnavailable
from minreg.store.rooted import RootedDirectory, directory_status, is_file
from tests.store_support import RootedTestCase, deny, open_files, without_privileges


class OpenFileTests(RootedTestCase):
    """Tests for ``RootedDirectory.open_file``."""

    def test_file(self) -> None:
        """A file is opened, with its status and real path."""
        opened = self.files.open_file("a/file")
        with opened.file as file:
            self.assertEqual(file.read(), b"inside")
        self.assertEqual(opened.status.st_size, 6)
        self.assertEqual(opened.path, os.path.join(self.root, "a/file"))

    def test_links_inside(self) -> None:
        """Links may lead anywhere inside the root, relative or absolute, in any number."""
        os.symlink("a", self.tree.path("b"))
        os.symlink(self.tree.path("b", "file"), self.tree.path("c"))
        os.symlink("../a/../c", self.tree.path("a", "d"))
        for path in ("b/file", "c", "a/d"):
            opened = self.files.open_file(path)
            opened.file.close()
            self.assertEqual(opened.path, os.path.join(self.root, "a/file"))

    def test_root_is_a_link(self) -> None:
        """The root may be a link, also to a directory that is replaced later."""
        link = self.mktemp()
        os.symlink(self.root, link)
        self.assertEqual(self.content("a/file", RootedDirectory(link)), b"inside")

    def test_link_out(self) -> None:
        """A link out of the root is refused, with the link, its target, and a fix."""
        os.symlink(self.secret, self.tree.path("a", "link"))
        error = self.refusal(ContentInvalid, self.files.open_file, "a/link")
        self.assertEqual(
            str(error),
            f"{self.root}/a/link leads out of the root, to {self.secret}: copy the content "
            f"into the root, or give --allow-links-to {self.outside}",
        )

    def test_kernel_link_out(self) -> None:
        """No option is advised for a link to a file of the kernel, or to a pipe."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        for target in ("/proc/version", f"/proc/self/fd/{reading}"):
            os.symlink(target, self.tree.path("a", "link"))
            error = self.refusal(ContentInvalid, self.files.open_file, "a/link")
            self.assertTrue(
                str(error).endswith(": remove the link, and copy the content into the root"),
                error,
            )
            os.unlink(self.tree.path("a", "link"))

    def test_directory_link_out(self) -> None:
        """The error for a directory outside of the root names the link to it."""
        os.symlink(self.outside, self.tree.path("away"))
        error = self.refusal(ContentInvalid, self.files.open_file, "away/secret")
        self.assertIn(f"{self.root}/away leads out of the root, to {self.secret}:", str(error))

    def test_sibling(self) -> None:
        """A directory whose name begins with the root's name is not in the root."""
        sibling = f"{self.root}-private"
        os.makedirs(sibling)
        with open(os.path.join(sibling, "file"), "wb") as file:
            file.write(b"secret")
        os.symlink(f"../{os.path.basename(self.root)}-private/file", self.tree.path("link"))
        self.refusal(ContentInvalid, self.files.open_file, "link")

    def test_allowed_link(self) -> None:
        """A link may lead into an allowed directory, but not to one beside it."""
        os.symlink(self.secret, self.tree.path("link"))
        self.assertEqual(
            self.content("link", RootedDirectory(self.root, [self.outside])), b"secret"
        )
        above = RootedDirectory(self.root, ["/nowhere", os.path.dirname(self.outside)])
        self.assertEqual(self.content("link", above), b"secret")
        for place in (f"{self.outside}/below", self.outside[:-1]):
            self.refusal(ContentInvalid, RootedDirectory(self.root, [place]).open_file, "link")

    def test_allowed_link_by_another_name(self) -> None:
        """The path of an allowed directory may contain a link."""
        os.symlink(self.secret, self.tree.path("link"))
        name = os.path.abspath(self.mktemp())
        os.symlink(self.outside, name)
        self.assertEqual(self.content("link", RootedDirectory(self.root, [name])), b"secret")

    def test_link_replaced_meanwhile(self) -> None:
        """If the link was replaced when it is searched for, the error names the path itself."""
        os.symlink(self.secret, self.tree.path("link"))
        self.patch(os.path, "islink", lambda _path: False)
        error = self.refusal(ContentInvalid, self.files.open_file, "link")
        self.assertIn(f"{self.root}/link leads out of the root", str(error))

    def test_absent(self) -> None:
        """A file that does not exist is not found, whatever the reason."""
        os.symlink("nowhere", self.tree.path("lost"))
        for path in ("b", "b/file", "a/file/below", "lost", "a/" + "x" * 256, "a/" * 3000):
            self.refusal(FileNotFoundError, self.files.open_file, path)

    def test_circle(self) -> None:
        """A link that leads back to itself is refused."""
        os.symlink("circle", self.tree.path("circle"))
        error = self.refusal(ContentInvalid, self.files.open_file, "circle")
        self.assertEqual(
            str(error), f"{self.root}/circle is a link that leads back to itself: remove it"
        )

    def test_empty(self) -> None:
        """An empty file is refused, with a fix."""
        self.tree.write(b"", "a", "empty")
        error = self.refusal(ContentInvalid, self.files.open_file, "a/empty")
        self.assertEqual(str(error), f"{self.root}/a/empty is empty: copy it again")

    def test_special_files(self) -> None:
        """A directory, fifo, socket or device is never opened, because that could block."""
        os.makedirs(self.tree.path("directory"))
        os.mkfifo(self.tree.path("fifo"))
        os.mknod(self.tree.path("socket"), stat.S_IFSOCK | 0o600)
        os.symlink("/dev/zero", self.tree.path("device"))
        files = RootedDirectory(self.root, ["/dev"])
        for name, place in (
            ("directory", f"{self.root}/directory"),
            ("fifo", f"{self.root}/fifo"),
            ("socket", f"{self.root}/socket"),
            ("device", "/dev/zero"),
        ):
            error = self.refusal(ContentInvalid, files.open_file, name)
            self.assertEqual(str(error), f"{place} is not a file: remove it")

    def test_not_permitted(self) -> None:
        """A file without read permission is refused, with the command that fixes it."""
        os.chmod(self.tree.path("a", "file"), 0)
        with without_privileges(self.root):
            error = self.refusal(ContentUnreadable, self.files.open_file, "a/file")
        self.assertEqual(
            str(error),
            f"{self.root}/a/file cannot be read by this user: give it permission (chmod a+rX)",
        )

    def test_denied(self) -> None:
        """The same holds for any user, if the operating system denies access."""
        deny(self, "open", "a/file")
        error = self.refusal(ContentUnreadable, self.files.open_file, "a/file")
        self.assertIn(f"{self.root}/a/file cannot be read by this user", str(error))

    def test_no_root(self) -> None:
        """If the root does not exist, the store is unavailable, and not empty."""
        for root in (os.path.abspath(self.mktemp()), self.secret):
            error = self.refusal(StoreUnavailable, RootedDirectory(root).open_file, "a/file")
            self.assertIn(f"root {root}: ", str(error))

    def test_too_many_files(self) -> None:
        """At the limit of open files, the store is unavailable, and nothing is missing."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        free = os.dup(0)
        os.close(free)
        for more in range(3):
            resource.setrlimit(resource.RLIMIT_NOFILE, (free + more, limits[1]))
            with self.assertRaises(StoreUnavailable) as caught:
                self.files.open_file("a/file")
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            self.assertIn("Too many open files", str(caught.exception))

    def test_removed_while_open(self) -> None:
        """A file that is removed while it is open can be read completely."""
        with self.files.open_file("a/file").file as file:
            os.unlink(self.tree.path("a", "file"))
            self.assertEqual(file.read(), b"inside")
        self.refusal(FileNotFoundError, self.files.open_file, "a/file")

    def test_closed_on_failure(self) -> None:
        """A file is closed if any exception is raised."""
        before = open_files()
        for failure in (ValueError, KeyboardInterrupt):
            opened = self.files.open_file("a/file")
            with self.assertRaises(failure):
                with opened.closed_on_failure():
                    raise failure
            self.assertEqual(open_files(), before)


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

    def test_denied_root(self) -> None:
        """The same holds for any user, if the operating system denies access."""
        deny(self, "stat", ".")
        error = self.refusal(StoreUnavailable, self.files.check_root)
        self.assertIn(f"root {self.root} cannot be read by this user", str(error))

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
