"""Tests for ``minreg.fill.importer``: archives that are refused."""

import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from minreg.fill.errors import ArchiveInvalid
from minreg.fill.verify import Verification
from minreg.oci.names import OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from tests.image_archives import (
    CONTAINERD_NAME,
    NAME,
    Artifact,
    Image,
    Members,
    blob,
    describe,
    make_annotated_layout,
    make_docker_archive,
    make_image_layout,
    make_k3s_layout,
    make_layout,
    make_tar,
    to_json,
)
from tests.importing import AMD64, ARM64, S390X, ImporterTestCase


class RefusalTests(ImporterTestCase):
    """Tests for archives that are refused: the tree is unchanged."""

    def setUp(self) -> None:
        """Create a tree with content."""
        super().setUp()
        self.import_members(make_image_layout(ARM64, {CONTAINERD_NAME: "docker.io/a/b:1"}))

    def test_damaged_blob(self) -> None:
        """A blob whose bytes do not have the digest in its path is refused."""
        members = make_image_layout(AMD64)
        at = members.index(blob(AMD64.layers[1]))
        path, content = members[at]
        members[at] = (path, content.replace(b"etc/a", b"etc/x"))
        said = self.refuse(members)
        self.assertTrue(
            said.startswith(
                f"standard input: '{path}' is damaged, its bytes have the digest sha256:"
            ),
            said,
        )

    def test_damaged_layer(self) -> None:
        """A layer of a docker-archive without its diff_id is refused."""
        members = make_docker_archive(AMD64)
        at, path = next(
            (at, one[0])
            for at, one in enumerate(members)
            if isinstance(one, tuple) and one[1] == AMD64.layers[1]
        )
        members[at] = (path, AMD64.layers[1].replace(b"etc/a", b"etc/x"))
        expected = (
            f"the layer '{path}' by the diff_id {Digest.of(AMD64.layers[1])}, but the layer has"
        )
        self.assertIn(expected, self.refuse(members))

    def test_cut_short(self) -> None:
        """A truncated archive is refused, wherever it ends."""
        archive = make_tar(make_image_layout(AMD64))
        before = self.list_tree()
        for end in range(0, archive.rindex(b"1.0.0") + 512, 499):
            self.assertRaises(ArchiveInvalid, self.import_stream, archive[:end])
            self.assertEqual(self.list_tree(), before)

    def test_lost_layer(self) -> None:
        """An image without one of its layers is refused, and the layer named."""
        members = [one for one in make_image_layout(AMD64) if one != blob(AMD64.layers[0])]
        self.assertEqual(
            self.refuse(members),
            f"standard input: {NAME} is incomplete: blob {Digest.of(AMD64.layers[0])} of "
            f"{Digest.of(AMD64.manifest)}, of {len(AMD64.layers[0])} bytes, "
            "is not in the archive; export the image again",
        )

    def test_claims(self) -> None:
        """A member of 10 TB is refused before anything is written."""
        giant = tarfile.TarInfo("blobs/giant")
        giant.size = 10 * 10**12
        header = giant.tobuf(tarfile.GNU_FORMAT)
        failure = self.assertRaises(ArchiveInvalid, self.import_stream, header + bytes(4096))
        self.assertIn("'blobs/giant' has 10000000000000 bytes, but only", str(failure))

    def test_collision(self) -> None:
        """Two images that differ only in their hosts are refused."""
        descriptors = [
            describe(OCI_MANIFEST, image.manifest, annotations={CONTAINERD_NAME: name})
            for image, name in ((AMD64, "docker.io/x/y:1"), (S390X, "quay.io/x/y:1"))
        ]
        contents = [c for image in (AMD64, S390X) for c in (*image.blobs, image.manifest)]
        layout = make_layout(list(dict.fromkeys(contents)), descriptors)
        self.assertEqual(
            self.refuse(layout),
            "standard input: docker.io/x/y:1 and quay.io/x/y:1 are different images for the "
            "same tag; to store both, use --no-trim, which keeps the registry's host in the "
            "repository name",
        )
        self.assertEqual(len(self.import_members(layout, trimmed=False)), 2)

    def test_two_images_of_one_name(self) -> None:
        """Two images that differ only in their platform are refused."""
        descriptors = [
            describe(OCI_MANIFEST, image.manifest, annotations={CONTAINERD_NAME: NAME})
            | {"platform": image.descriptor["platform"]}
            for image in (AMD64, S390X)
        ]
        contents = [c for image in (AMD64, S390X) for c in (*image.blobs, image.manifest)]
        layout = make_layout(list(dict.fromkeys(contents)), descriptors)
        self.assertIn("choose one with --platform", self.refuse(layout))
        (image,) = self.import_members(layout, platforms=[Platform("linux", "s390x")])
        self.assertEqual(image.digest, Digest.of(S390X.manifest))
        said = self.refuse(layout, platforms=[Platform("linux", "arm")])
        self.assertIn(
            "nothing for the selected platforms, only for linux/amd64, linux/s390x", said
        )

    def test_platform_of_config(self) -> None:
        """--platform chooses between images of one name by their configs, too."""
        named = {CONTAINERD_NAME: NAME}
        layout = make_annotated_layout((AMD64, named), (S390X, named))
        self.assertEqual(
            self.refuse(layout),
            f"standard input: the archive has different images with the name {NAME}, for "
            "linux/amd64, linux/s390x; choose one with --platform",
        )
        both = [Platform("linux", "amd64"), Platform("linux", "s390x")]
        for platforms in (both, [Platform("linux", "arm64")]):
            self.assertIn("choose one with --platform", self.refuse(layout, platforms=platforms))
        (image,) = self.import_members(layout, platforms=[Platform("linux", "s390x")])
        self.assertEqual(image.digest, Digest.of(S390X.manifest))

    def test_platform_of_docker_archive(self) -> None:
        """The same holds for a docker-archive."""
        members: list[tuple[str, bytes]] = []
        entries = []
        for image in (AMD64, S390X):
            names = {f"{image.architecture}/{at}": one for at, one in enumerate(image.layers)}
            config = f"{image.architecture}.json"
            members += [*names.items(), (config, image.config)]
            entries.append({"Config": config, "RepoTags": [NAME], "Layers": list(names)})
        archive = [*members, ("manifest.json", to_json(entries))]
        self.assertIn("linux/amd64, linux/s390x; choose one", self.refuse(archive))
        self.import_members(archive, platforms=[Platform("linux", "s390x")])
        manifest = self.read_manifest("rancher/mirrored-pause", "3.6")[1]
        self.assertIn(str(Digest.of(S390X.config)), manifest.decode())

    def test_same_platform(self) -> None:
        """Two images for one platform cannot be told apart, so no option is recommended."""
        other = Image(layers=(AMD64.layers[0],))
        named = {CONTAINERD_NAME: NAME}
        layout = make_annotated_layout((AMD64, named), (other, named))
        artifacts = make_annotated_layout((Artifact(b"1"), named), (Artifact(b"2"), named))
        for members in (layout, artifacts):
            said = self.refuse(members, platforms=[Platform("linux", "amd64")])
            self.assertIn(f"different images with the name {NAME} (sha256:", said)
            self.assertIn("; export them under different names", said)

    def test_two_without_a_name(self) -> None:
        """Of images without a name, --name chooses one by its digest."""
        layout = make_annotated_layout((AMD64, {}), (Image(layers=(AMD64.layers[0],)), {}))
        self.assertIn(
            "the archive has 2 images without a name, and --name names only one; append @ and the "
            f"digest of one to the name: {Digest.of(AMD64.manifest)}, ",
            self.refuse(layout, name="c/d:1"),
        )
        (image,) = self.import_members(layout, name=f"c/d:1@{Digest.of(AMD64.manifest)}")
        self.assertEqual(str(image), "c/d:1")

    def test_not_distributed(self) -> None:
        """An archive with nothing but an image whose layers must not be distributed."""
        windows = Image(os="windows")
        layout = [m for m in make_image_layout(windows) if m != blob(windows.layers[0])]
        self.assertIn(f"{NAME} is not here: blob ", self.refuse(layout))

    def test_other_origin(self) -> None:
        """An image of one registry does not replace that of another one."""
        other = make_image_layout(AMD64, {CONTAINERD_NAME: "quay.io/a/b:1"})
        self.assertEqual(
            self.refuse(other),
            "standard input: a/b:1 in the tree is from docker.io/a/b; quay.io/a/b:1 is another "
            "image and would replace it; to store both, use --no-trim, which keeps the registry's "
            "host in the repository name",
        )
        newer = make_image_layout(AMD64, {CONTAINERD_NAME: "docker.io/a/b:1"})
        self.import_members(newer)
        self.assertEqual(self.read_manifest("a/b", "1")[1], AMD64.manifest)

    def test_platform_that_is_not_there(self) -> None:
        """If there is nothing for the selected platforms, the error lists those of the archive."""
        said = self.refuse(make_k3s_layout([AMD64], []), platforms=[Platform("linux", "arm")])
        self.assertIn("has nothing for the selected platforms, only for linux/amd64", said)

    def test_wanted_platform_is_missing(self) -> None:
        """An index that names the platform without having it is refused too."""
        said = self.refuse(
            make_k3s_layout([AMD64], [ARM64]), platforms=[Platform("linux", "arm64")]
        )
        self.assertIn(f"manifest {Digest.of(ARM64.manifest)} (linux/arm64) is not in", said)

    @settings(deadline=None, max_examples=40)
    @given(st.data())
    def test_turned_bits(self, data: st.DataObject) -> None:
        """A damaged archive is refused, or its images are right nevertheless."""
        kinds: list[Members] = [make_image_layout(AMD64), make_docker_archive(AMD64)]
        archive = bytearray(make_tar(data.draw(st.sampled_from(kinds))))
        at = data.draw(st.integers(0, len(archive) - 1))
        archive[at] ^= 1 << data.draw(st.integers(0, 7))
        before = self.list_tree()
        try:
            (image,) = self.import_stream(bytes(archive))
        except ArchiveInvalid:
            self.assertEqual(self.list_tree(), before)
            return
        verification = Verification(self.root, [])
        report = verification.run(lambda _: None)
        self.assertEqual(report.broken, [])
        self.assertIn(str(image), [str(finding.image) for finding in report.findings])
