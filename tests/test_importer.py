"""Tests for ``minreg.fill.importer``: archives as a whole."""

import io
import os

from minreg.fill.importer import Importer
from minreg.fill.prune import plan_removal
from minreg.fill.tree.provenance import Provenance
from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.tree import RegistryTree
from tests.image_archives import (
    CONTAINERD_NAME,
    NAME,
    Image,
    blob,
    describe,
    make_annotated_layout,
    make_docker_archive,
    make_image_layout,
    make_index,
    make_k3s_layout,
    make_layout,
    make_tar,
    unpack,
)
from tests.importing import AMD64, ARM64, S390X, ImporterTestCase


class ImportTests(ImporterTestCase):
    """Tests for valid archives."""

    def test_layout(self) -> None:
        """An image of an OCI layout keeps its digest and bytes."""
        (image,) = self.import_members(make_image_layout(AMD64))
        self.assertEqual(str(image), "rancher/mirrored-pause:3.6")
        self.assertEqual(image.digest, Digest.of(AMD64.manifest))
        self.assertEqual(image.size, sum(len(content) for content in AMD64.blobs))
        served = self.read_manifest("rancher/mirrored-pause", "3.6")
        self.assertEqual(served, (OCI_MANIFEST, AMD64.manifest))
        for content in AMD64.blobs:
            self.assertEqual(self.read_blob("rancher/mirrored-pause", content), content)

    def test_k3s_tarball(self) -> None:
        """The index keeps its digest; missing platforms are reported."""
        (image,) = self.import_members(make_k3s_layout([AMD64], [ARM64, S390X]))
        index = make_index([one.descriptor for one in (AMD64, ARM64, S390X)])
        served = self.read_manifest("rancher/mirrored-pause", "3.6")
        self.assertEqual(served, (OCI_INDEX, index))
        self.assertEqual(image.missing, (Platform("linux", "arm64"), Platform("linux", "s390x")))
        child = Digest.of(AMD64.manifest)
        self.assertEqual(self.read_manifest("rancher/mirrored-pause", child)[1], AMD64.manifest)

    def test_second_platform(self) -> None:
        """The tarball of another platform completes the index."""
        self.import_members(make_k3s_layout([AMD64], [ARM64]))
        other = make_index([one.descriptor for one in (AMD64, ARM64)])
        described = describe(OCI_INDEX, other, annotations={CONTAINERD_NAME: NAME})
        contents = [*ARM64.blobs, ARM64.manifest, other]
        (image,) = self.import_members(make_layout(contents, [described]))
        self.assertEqual(image.missing, ())

    def test_docker_archive(self) -> None:
        """Linked layers are found, and the generated manifest is always the same."""
        layer = make_tar([("a", b"shared")])
        shared = Image(layers=(layer, make_tar([("b", b"own")]), layer))
        (image,) = self.import_members(make_docker_archive(shared))
        self.assertEqual(str(image.reference), NAME)
        media_type, manifest = self.read_manifest("rancher/mirrored-pause", "3.6")
        self.assertEqual(media_type, "application/vnd.docker.distribution.manifest.v2+json")
        self.assertEqual(Digest.of(manifest), image.digest)
        for content in shared.blobs:
            self.assertEqual(self.read_blob("rancher/mirrored-pause", content), content)
        (again,) = self.import_members(make_docker_archive(shared)[::-1])
        self.assertEqual(again.digest, image.digest)

    def test_hybrid_with_lost_layers(self) -> None:
        """Where Docker 25.0 left a layer out of its manifest, manifest.json is used."""
        layer = make_tar([("a", b"twice")])
        whole = Image(layers=(layer, layer))
        short = describe(OCI_MANIFEST, Image(layers=(layer,)).manifest)
        broken = whole.manifest.replace(
            b", " + Image(layers=(layer,)).manifest.partition(b'"layers": [')[2][:-2], b"", 1
        )
        self.assertNotEqual(broken, whole.manifest)
        short = describe(OCI_MANIFEST, broken, annotations={CONTAINERD_NAME: NAME})
        layout = make_layout([*whole.blobs, broken], [short])
        listing = make_k3s_layout([whole], [])[-2]
        self.assertEqual(listing[0], "manifest.json")
        self.import_members([*layout, listing])
        _, manifest = self.read_manifest("rancher/mirrored-pause", "3.6")
        self.assertEqual(manifest.count(str(Digest.of(layer)).encode()), 2)

    def test_directory(self) -> None:
        """A layout in a directory is imported."""
        source = self.mktemp()
        unpack(make_tar(make_image_layout(AMD64)), source)
        with TreeWriter(self.root, "a test") as tree:
            Importer(tree).import_archive(source, io.BytesIO())
        self.assertEqual(self.read_manifest("rancher/mirrored-pause", "3.6")[1], AMD64.manifest)

    def test_again(self) -> None:
        """Content that the tree has is not written again."""
        self.import_members(make_image_layout(AMD64))
        path = os.path.join(self.root, "blobs", str(Digest.of(AMD64.config)))
        before = os.stat(path)
        self.import_members(make_image_layout(AMD64))
        self.assertEqual(os.stat(path).st_ino, before.st_ino)

    def test_blobs_that_are_there(self) -> None:
        """An archive may lack a blob that the tree has."""
        self.import_members(make_image_layout(AMD64))
        members = [one for one in make_image_layout(AMD64) if one != blob(AMD64.layers[0])]
        self.import_members(members)

    def test_not_trimmed(self) -> None:
        """With --no-trim the repository's path begins with the host."""
        (image,) = self.import_members(make_image_layout(AMD64), trimmed=False)
        self.assertEqual(image.repository, "docker.io/rancher/mirrored-pause")
        self.assertEqual(
            list(RegistryTree(self.root).iterate_repositories("")),
            ["docker.io/rancher/mirrored-pause"],
        )

    def test_platform(self) -> None:
        """Only the selected platforms of an index are imported; others are reported as missing."""
        members = make_k3s_layout([AMD64, ARM64], [S390X])
        (image,) = self.import_members(members, platforms=[Platform("linux", "arm64", "v8")])
        self.assertEqual(image.missing, (Platform("linux", "amd64"), Platform("linux", "s390x")))
        blobs = os.listdir(os.path.join(self.root, "blobs"))
        self.assertEqual(sorted(blobs), sorted(str(Digest.of(one)) for one in ARM64.blobs))

    def test_digest(self) -> None:
        """An image that is named by digest gets no tag, and is kept by ``prune``."""
        name = f"docker.io/a/b@{Digest.of(AMD64.manifest)}"
        (image,) = self.import_members(make_image_layout(AMD64, {CONTAINERD_NAME: name}))
        self.assertEqual(str(image), f"a/b@{Digest.of(AMD64.manifest)}")
        kept = Provenance(self.root).list_digests("a/b")
        self.assertEqual(kept, [Digest.of(AMD64.manifest)])
        self.assertEqual(plan_removal(self.root, None).manifests, ())

    def test_name(self) -> None:
        """An image without a name gets that of --name, with its own tag."""
        members = make_image_layout(AMD64, {"org.opencontainers.image.ref.name": "1.0"})
        (image,) = self.import_members(members, name="quay.io/a/b")
        self.assertEqual((str(image), str(image.reference)), ("a/b:1.0", "quay.io/a/b:1.0"))

    def test_platforms_without_index(self) -> None:
        """An archive whose own index is that of an image: --name gives this index its name."""
        members = make_layout(
            [c for one in (AMD64, ARM64) for c in (*one.blobs, one.manifest)],
            [AMD64.descriptor, ARM64.descriptor],
        )
        (image,) = self.import_members(members, name="quay.io/a/b:1")
        index = make_index([AMD64.descriptor, ARM64.descriptor])
        self.assertEqual(self.read_manifest("a/b", "1"), (OCI_INDEX, index))
        self.assertEqual(image.missing, ())
        self.root = self.mktemp()
        (image,) = self.import_members(
            members, name="quay.io/a/b:1", platforms=[Platform("linux", "arm64")]
        )
        self.assertEqual(image.missing, (Platform("linux", "amd64"),))

    def test_base_names(self) -> None:
        """A package of Zarf has the names of its images as those of their bases."""
        key = "org.opencontainers.image.base.name"
        layout = make_annotated_layout(
            (AMD64, {key: "ghcr.io/acme/z:1"}), (ARM64, {key: "docker.io/library/y:1"})
        )
        names = [str(image.reference) for image in self.import_members(layout)]
        self.assertEqual(names, ["ghcr.io/acme/z:1", "docker.io/library/y:1"])

    def test_skopeo_directory(self) -> None:
        """What ``skopeo copy`` writes for ``dir:`` is one image without a name."""
        index = make_index([AMD64.descriptor, ARM64.descriptor])
        for top, images in ((AMD64.manifest, [AMD64]), (index, [AMD64, ARM64])):
            files = [(Digest.of(c).encoded, c) for one in images for c in one.blobs]
            files += [
                (f"{Digest.of(c.manifest).encoded}.manifest.json", c.manifest) for c in images
            ]
            members = [("version", b"Directory Transport Version: 1.1\n"), *dict(files).items()]
            self.import_members([*members, ("manifest.json", top)], name="a/b:1")
            self.assertEqual(self.read_manifest("a/b", "1")[1], top)

    def test_not_distributed(self) -> None:
        """An image whose layers must not be distributed is left out, and the others are kept."""
        windows = Image(layers=(make_tar([("w", b"w")]),), os="windows")
        layout = make_annotated_layout(
            (AMD64, {CONTAINERD_NAME: NAME}), (windows, {CONTAINERD_NAME: "a/windows:1"})
        )
        lost = blob(windows.layers[0])
        left_out: list[str] = []
        images = self.import_members([m for m in layout if m != lost], report=left_out.append)
        self.assertEqual([str(image) for image in images], ["rancher/mirrored-pause:3.6"])
        self.assertTrue(left_out[0].startswith("a/windows:1 is not here: blob "))
