"""Tests for ``minreg.fill.archives.naming``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.naming import ArchivedImage, name_images
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import Digest
from minreg.oci.platforms import Platform

DIGEST = Digest.of(b"manifest")
OTHER = ArchivedImage(Digest.of(b"another"), platform=Platform("linux", "arm64"))


def make_image(*names: str, tag: str = "") -> ArchivedImage:
    """Return an image with names."""
    return ArchivedImage(DIGEST, names, tag)


class NameImagesTests(SynchronousTestCase):
    """Tests for ``name_images``."""

    def names(self, *images: ArchivedImage, name: str = "") -> list[str]:
        """Name images, and return the names in full."""
        return [str(named.reference) for named in name_images(images, name)]

    def refuse(self, *images: ArchivedImage, name: str = "") -> str:
        """Name images that are refused, and return the error."""
        return str(self.assertRaises(ArchiveInvalid, name_images, images, name))

    def test_all_names(self) -> None:
        """An image has each of its names, in full."""
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
        """A digest in a name must be that of the image; a name without a tag sets none."""
        (named,) = name_images([make_image(f"a/b@{DIGEST}")])
        self.assertEqual(named.reference.tag, "")
        other = Digest.of(b"other")
        self.assertEqual(
            self.refuse(make_image(f"a/b@{other}")),
            f"the image 'a/b@{other}' has the digest {DIGEST}; export the image again",
        )

    def test_given_name(self) -> None:
        """--name is for images without a name, and is completed by the archive's tag."""
        self.assertEqual(self.names(make_image(), name="a/b:1"), ["docker.io/a/b:1"])
        self.assertEqual(
            self.names(make_image(tag="3"), make_image(tag="4"), name="localhost:5000/b"),
            ["localhost:5000/b:3", "localhost:5000/b:4"],
        )
        self.assertEqual(self.names(make_image(tag="3"), name="a/b:1"), ["docker.io/a/b:1"])
        self.assertEqual(
            self.names(make_image("x:1"), make_image(), name="a/b"),
            ["docker.io/library/x:1", f"docker.io/a/b@{DIGEST}"],
        )

    def test_untagged(self) -> None:
        """With --name, an image without a tag is kept by its digest if others have a tag."""
        self.assertEqual(
            self.names(make_image(tag="3"), OTHER, name="a/b"),
            ["docker.io/a/b:3", f"docker.io/a/b@{OTHER.digest}"],
        )

    def test_no_tag_invented(self) -> None:
        """If the archive has no tag at all, --name needs one."""
        self.assertEqual(
            self.refuse(make_image(), name="a/b"),
            "the archive has no tag for its image; give --name a/b:TAG",
        )
        self.assertEqual(
            self.refuse(make_image(), OTHER, name="localhost:5000/b"),
            "the archive has no tag for its image; give --name localhost:5000/b:TAG@DIGEST with "
            f"one of the digests {DIGEST}, {OTHER.digest} (linux/arm64)",
        )

    def test_given_digest(self) -> None:
        """A digest in --name chooses one of several images."""
        name = f"a/b:1@{OTHER.digest}"
        self.assertEqual(self.names(make_image(), OTHER, name=name), [f"docker.io/{name}"])
        other = Digest.of(b"a third")
        self.assertEqual(
            self.refuse(make_image(), name=f"a/b:1@{other}"),
            f"no image without a name has the digest '{other}'; the archive has {DIGEST}",
        )

    def test_given_name_refused(self) -> None:
        """--name does not rename an image, and names different tags only without a tag."""
        self.assertEqual(
            self.refuse(make_image("x:1"), name="a"),
            "the archive names its images, such as x:1; leave out --name",
        )
        self.assertEqual(
            self.refuse(make_image(tag="1"), make_image(tag="2"), name="h:5000/a:1"),
            "the archive has 2 images, with the tags '1', '2'; give --name h:5000/a, without a "
            "tag, to keep them",
        )

    def test_base_name(self) -> None:
        """The name of an image's base is its own only if there is no other one."""
        image = ArchivedImage(DIGEST, base_name="ghcr.io/acme/z:1")
        self.assertEqual(self.names(image), ["ghcr.io/acme/z:1"])
        self.assertEqual(self.names(image, name="a/b:1"), ["docker.io/a/b:1"])
        tagged = ArchivedImage(DIGEST, tag="1", base_name="ghcr.io/acme/z:1")
        self.assertIn("give --name REPOSITORY (its tag is '1')", self.refuse(tagged))

    def test_no_name(self) -> None:
        """An archive without any name is refused, and the error says what to do."""
        self.assertEqual(
            self.refuse(make_image()),
            "the archive has no name for its image; give --name REPOSITORY:TAG",
        )
        self.assertEqual(
            self.refuse(make_image(tag="3.6")),
            "the archive has no name for its image; give --name REPOSITORY (its tag is '3.6')",
        )
        self.assertEqual(
            self.refuse(make_image(), OTHER),
            "the archive has no name for its image; give --name REPOSITORY:TAG@DIGEST with one of "
            f"the digests {DIGEST}, {OTHER.digest} (linux/arm64)",
        )

    def test_many_without_name(self) -> None:
        """An error lists only some of many tags or digests."""
        tagged = [make_image(tag=f"{number:02}") for number in range(30)]
        self.assertIn("'06', '07' and 22 more)", self.refuse(*tagged))
        untagged = [ArchivedImage(Digest.of(bytes([number]))) for number in range(30)]
        said = self.refuse(*untagged)
        self.assertEqual(said.count("sha256:"), 8)
        self.assertTrue(said.endswith(" and 22 more"))

    def test_unnamed_beside_named(self) -> None:
        """An image without a name is left out if others have one."""
        self.assertEqual(self.names(make_image(), make_image("a/b:1")), ["docker.io/a/b:1"])

    def test_malformed(self) -> None:
        """A malformed name is refused."""
        for text in ("A/b", "a/../b", "a:", f"a@sha256:{'G' * 64}", "a b", ""):
            self.assertIn(f"{text!r} is not an image name: ", self.refuse(make_image(text)))

    def test_nothing(self) -> None:
        """An archive without images is refused."""
        self.assertEqual(self.refuse(), "the archive has no image; export the image again")
