"""Tests for ``minreg.fill.archives.oci_layout`` and ``reading``."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.image_selection import list_images
from minreg.fill.archives.naming import ArchivedImage
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from tests.archives_support import read_members
from tests.image_archives import (
    CONTAINERD_NAME,
    LAYOUT,
    NAME,
    REFERENCE_NAME,
    Image,
    Members,
    describe,
    make_docker_archive,
    make_image_layout,
    make_index,
    make_layout,
    to_json,
)

IMAGE = Image()


def list_members(members: Members) -> list[ArchivedImage]:
    """Return the images of an archive with these members."""
    return list_images(read_members(members))


def name(annotations: dict[str, str]) -> tuple[tuple[str, ...], str]:
    """Return the name of an image with these annotations."""
    (image,) = list_members(make_image_layout(IMAGE, annotations))
    return image.names, image.tag


class LayoutTests(SynchronousTestCase):
    """Tests for ``list_images`` with OCI layouts."""

    def refuse(self, members: Members) -> str:
        """List the images of an archive that is refused, and return the error."""
        return str(self.assertRaises(ArchiveInvalid, list_members, members))

    def test_names(self) -> None:
        """The most specific annotation names the image; a bare tag is no name."""
        self.assertEqual(name({CONTAINERD_NAME: NAME, REFERENCE_NAME: "3.6"}), ((NAME,), "3.6"))
        self.assertEqual(name({REFERENCE_NAME: "3.6"}), ((), "3.6"))
        self.assertEqual(name({}), ((), ""))
        for whole in ("busybox:1", "a/b", f"a@{Digest.of(b'')}"):
            self.assertEqual(name({REFERENCE_NAME: whole}), ((whole,), ""))

    def test_platform(self) -> None:
        """The platform in the index is kept."""
        described = describe(
            OCI_MANIFEST, IMAGE.manifest, platform={"os": "linux", "architecture": "arm"}
        )
        (image,) = list_members(make_layout([*IMAGE.blobs, IMAGE.manifest], [described]))
        self.assertEqual(image.platform, Platform("linux", "arm"))

    def test_other_content(self) -> None:
        """Content that is no image and has no name is skipped."""
        other = describe("text/plain", b"hello")
        self.assertEqual(list_members(make_layout([b"hello"], [other])), [])

    def test_versions(self) -> None:
        """A layout of another version is refused."""
        members = make_image_layout(IMAGE)[:-1]
        for content, version in (
            (b'{"imageLayoutVersion":"2.0.0"}', "'2.0.0'"),
            (b"{}", "None"),
            (b"[]", "None"),
        ):
            said = self.refuse([*members, ("oci-layout", content)])
            self.assertEqual(
                said,
                f"'oci-layout' states the unknown version {version}; export the image as 1.0.0",
            )
        self.assertIn("'oci-layout' is not JSON", self.refuse([*members, ("oci-layout", b"")]))

    def test_no_index(self) -> None:
        """A layout without an index is refused."""
        said = self.refuse([("oci-layout", LAYOUT)])
        self.assertIn("the archive has an 'oci-layout', but no 'index.json'", said)

    def test_damaged_index(self) -> None:
        """An index with an invalid descriptor is refused."""
        for index, expected in (
            (b"{", "'index.json' is not JSON"),
            (b"[1]", "index.json is no manifest: it is not a JSON object"),
            (make_index([{"digest": "x"}]), "index.json is damaged: manifests[0] has no size"),
            (
                to_json({"manifests": [1], "layers": []}),
                "index.json is no manifest: it has the fields of an index and of a manifest",
            ),
        ):
            said = self.refuse([("index.json", index), ("oci-layout", LAYOUT)])
            self.assertIn(expected, said)

    def test_lost_manifest(self) -> None:
        """A manifest that is missing or has another size is named with its image."""
        members = [
            member
            for member in make_image_layout(IMAGE)
            if isinstance(member, tuple) and member[1] != IMAGE.manifest
        ]
        digest, size = Digest.of(IMAGE.manifest), len(IMAGE.manifest)
        self.assertEqual(
            self.refuse(members),
            f"'index.json' names {digest}, of {NAME}, with {size} bytes, which is not in the "
            "archive; export the image again",
        )
        other: dict[str, Any] = describe(OCI_MANIFEST, IMAGE.manifest) | {"size": 3}
        said = self.refuse(make_layout([IMAGE.manifest], [other]))
        self.assertIn(f"with 3 bytes, which has {size} bytes; ", said)


class HybridTests(SynchronousTestCase):
    """Tests for ``list_images`` with archives that are OCI layout and docker-archive."""

    def test_original_digests(self) -> None:
        """Existing manifests are preferred to generated ones."""
        members = [*make_docker_archive(IMAGE), *make_image_layout(IMAGE)]
        (image,) = list_members(members)
        self.assertEqual(image.digest, Digest.of(IMAGE.manifest))

    def test_empty_index(self) -> None:
        """An empty index, as Docker 25.0 wrote it, is ignored."""
        for index in (b'{"schemaVersion":2,"manifests":null}', b'{"manifests":[]}'):
            members = [
                *make_docker_archive(IMAGE),
                ("index.json", index),
                ("oci-layout", LAYOUT),
            ]
            (image,) = list_members(members)
            self.assertEqual(image.names, ("rancher/mirrored-pause:3.6",))
            self.assertEqual(list_members(members[-2:]), [])

    def test_artifact(self) -> None:
        """An artifact has layers that its config does not list."""
        artifact = IMAGE.manifest.replace(b"image.config.v1", b"empty.v1")
        described = describe(OCI_MANIFEST, artifact, annotations={CONTAINERD_NAME: NAME})
        layout = make_layout([*IMAGE.blobs, artifact], [described])
        (image,) = list_members([*make_docker_archive(IMAGE), *layout])
        self.assertEqual(image.digest, Digest.of(artifact))
