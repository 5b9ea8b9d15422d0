"""Tests for ``minreg.fill.archives.unsupported``: what is no image archive, and what it is."""

import tarfile

from tests.image_archives import Members, make_image_layout, make_link, make_tar
from tests.importing import AMD64, ImporterTestCase

FILE_SYSTEM = (
    "standard input: this is the file system of a container, as 'docker export' and 'crane "
    "export' write it, and no image archive; use 'docker save' or 'crane pull' instead"
)


class UnsupportedTests(ImporterTestCase):
    """Tests for the errors about what is no image archive."""

    def test_parent_directory(self) -> None:
        """A layout that was packed with its directory lies in that directory."""
        members = [(f"./layout/{path}", content) for path, content in make_image_layout(AMD64)]
        self.assertEqual(
            self.refuse(members),
            "standard input: the image archive is in its directory 'layout'; unpack it, and "
            "import that directory, or pack it again with 'tar -C layout -cf FILE .'",
        )

    def test_package(self) -> None:
        """A package of Zarf has a layout beside other directories."""
        members = [(f"images/{path}", content) for path, content in make_image_layout(AMD64)]
        said = self.refuse([("zarf.yaml", b""), ("components/a.tar", b""), *members])
        self.assertIn("the image archive is in its directory 'images'", said)

    def test_skopeo_directory(self) -> None:
        """What ``skopeo copy`` writes for ``dir:`` may be packed with its directory too."""
        said = self.refuse([("all_images/version", b""), ("all_images/manifest.json", b"{}")])
        self.assertIn("the image archive is in its directory 'all_images'", said)

    def test_file_system(self) -> None:
        """The file system of a container is named as such, wherever reading it ends."""
        device = tarfile.TarInfo("dev/console")
        device.type = tarfile.CHRTYPE
        beginning: Members = [("bin/sh", b"#"), ("etc/passwd", b"root"), ("usr/a", b"")]
        archives: tuple[Members, ...] = (
            beginning,
            [*beginning, ("usr/share/app/manifest.json", b"{}")],
            [*beginning, make_link("etc/mtab", "/proc/mounts")],
            [(".dockerenv", b""), device],
            [make_link("bin/arch", "/bin/busybox")],
            [*beginning, ("usr/lib/a", b""), ("app/main", b""), ("entrypoint.sh", b"#")],
        )
        for members in archives:
            self.assertEqual(self.refuse(members), FILE_SYSTEM)

    def test_damaged_layout(self) -> None:
        """An error in an image archive is not mistaken for one."""
        members: Members = [*make_image_layout(AMD64), make_link("etc/mtab", "/proc/mounts")]
        self.assertIn("'etc/mtab' is a link out of the archive", self.refuse(members))

    def test_archives(self) -> None:
        """Archives in an archive are to be imported themselves."""
        inner = make_tar(make_image_layout(AMD64))
        for path in ("image.tar", "images/b.tar.zst"):
            self.assertEqual(
                self.refuse([("readme.txt", b""), (path, inner)]),
                f"standard input: this contains other archives, such as '{path}', and is no image "
                "archive itself; unpack it, and import these",
            )

    def test_chart(self) -> None:
        """A Helm chart is named as such."""
        said = self.refuse([("app/Chart.yaml", b""), ("app/charts/db-1.tgz", b"")])
        self.assertIn("this is a Helm chart, and no image archive", said)

    def test_other(self) -> None:
        """Anything else is refused with what is supported."""
        self.assertEqual(
            self.refuse([("notes.txt", b"")]),
            "standard input: this has neither an 'oci-layout' nor a 'manifest.json', so it is no "
            "image archive; give what 'docker save' or 'ctr images export' writes",
        )
