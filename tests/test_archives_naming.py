"""Tests for ``minreg.fill.archives.naming``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.naming import ArchivedImage, name_images
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import Digest

DIGEST = Digest.of(b"manifest")


def make_image(*names: str, tag: str = "") -> ArchivedImage:
    """Make an image with names."""
    return ArchivedImage(DIGEST, names, tag)


class NameImagesTests(SynchronousTestCase):
    """Tests for ``name_images``."""

    def names(self, *images: ArchivedImage, name: str = "") -> list[str]:
        """Name images, and write their names out."""
        return [str(named.reference) for named in name_images(images, name)]

    def refuse(self, *images: ArchivedImage, name: str = "") -> str:
        """Name images that cannot be named, and return what was said."""
        return str(self.assertRaises(ArchiveInvalid, name_images, images, name))

    def test_all_names(self) -> None:
        """An image goes by each of its names, written in full."""
        self.assertEqual(
            self.names(make_image("busybox", "rancher/a:1"), make_image("quay.io/b:2", tag="9")),
            ["docker.io/library/busybox:latest", "docker.io/rancher/a:1", "quay.io/b:2"],
        )

    def test_same_name_twice(self) -> None:
        """An image that is listed twice is one image."""
        self.assertEqual(
            self.names(make_image("a/b:1"), make_image("docker.io/a/b:1")), ["docker.io/a/b:1"]
        )

    def test_digest(self) -> None:
        """A name with a digest must have the image's; without a tag it sets none."""
        (named,) = name_images([make_image(f"a/b@{DIGEST}")])
        self.assertEqual(named.reference.tag, "")
        other = Digest.of(b"other")
        self.assertEqual(
            self.refuse(make_image(f"a/b@{other}")),
            f"'a/b@{other}' stands for {DIGEST}: export the image anew",
        )

    def test_given_name(self) -> None:
        """A name that is given is for what has none, and the archive's tag completes it."""
        self.assertEqual(self.names(make_image(), name="a/b:1"), ["docker.io/a/b:1"])
        self.assertEqual(self.names(make_image(), name="a/b"), ["docker.io/a/b:latest"])
        self.assertEqual(
            self.names(make_image(tag="3"), make_image(tag="4"), name="localhost:5000/b"),
            ["localhost:5000/b:3", "localhost:5000/b:4"],
        )
        self.assertEqual(self.names(make_image(tag="3"), name="a/b:1"), ["docker.io/a/b:1"])
        self.assertEqual(
            self.names(make_image("x:1"), make_image(), name="a/b"),
            ["docker.io/library/x:1", "docker.io/a/b:latest"],
        )

    def test_given_name_not_wanted(self) -> None:
        """It does not rename what has a name, and does not name two images."""
        self.assertEqual(
            self.refuse(make_image("x:1"), name="a"),
            "it names its images itself, such as x:1: leave out --name",
        )
        said = self.refuse(make_image(), make_image(), name="a")
        self.assertIn("it has 2 images without a name, and --name names one", said)
        said = self.refuse(make_image(tag="1"), make_image(tag="2"), name="a:1")
        self.assertIn("it has 2 images without a name", said)

    def test_no_name(self) -> None:
        """Without any name, the archive is refused, and what helps is said."""
        self.assertEqual(
            self.refuse(make_image()),
            "it does not say what its image is called: give --name REPOSITORY:TAG",
        )
        self.assertEqual(
            self.refuse(make_image(tag="3.6")),
            "it does not say what its image is called: give --name REPOSITORY, "
            "for it has only the tag '3.6'",
        )

    def test_unnamed_beside_named(self) -> None:
        """An image without a name beside others that have one is left out."""
        self.assertEqual(self.names(make_image(), make_image("a/b:1")), ["docker.io/a/b:1"])

    def test_malformed(self) -> None:
        """A name that is none is refused."""
        for text in ("A/b", "a/../b", "a:", f"a@sha256:{'G' * 64}", "a b", ""):
            self.assertIn(f"{text!r} names no image: ", self.refuse(make_image(text)))

    def test_nothing(self) -> None:
        """An archive without images is refused."""
        self.assertEqual(self.refuse(), "it holds no image: export the image anew")
