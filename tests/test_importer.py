"""Tests for ``minreg.fill.importer``: archives as a whole."""

import io
import os
import tarfile

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.importer import ImportedImage, Importer
from minreg.fill.writer import TreeWriter
from minreg.manifests import Platform
from minreg.media_types import OCI_INDEX, OCI_MANIFEST
from minreg.names import Digest
from minreg.store.tree import RegistryTree
from tests.image_archives import (
    CONTAINERD_NAME,
    NAME,
    Image,
    Members,
    blob,
    describe,
    make_docker_archive,
    make_image_layout,
    make_index,
    make_k3s_layout,
    make_layout,
    make_tar,
)

AMD64 = Image("amd64")
ARM64 = Image("arm64", (make_tar([("pause", b"sleep on arm")]),))
S390X = Image("s390x")


class ImporterTestCase(SynchronousTestCase):
    """A tree to import into."""

    def setUp(self) -> None:
        """Name a tree that is not there yet."""
        self.root = os.path.abspath(self.mktemp())

    def import_stream(self, archive: bytes, **options: object) -> list[ImportedImage]:
        """Import what comes on standard input."""
        with TreeWriter(self.root, "a test") as tree:
            importer = Importer(tree, **options)  # type: ignore[arg-type] # as each test wants
            return importer.import_archive("-", io.BytesIO(archive))

    def import_members(self, members: Members, **options: object) -> list[ImportedImage]:
        """Import an archive with these members."""
        return self.import_stream(make_tar(members), **options)

    def refuse(self, members: Members, **options: object) -> str:
        """Import what is refused, see that nothing came of it, and return what was said."""
        before = self.list_tree()
        failure = self.assertRaises(ArchiveInvalid, self.import_members, members, **options)
        self.assertEqual(self.list_tree(), before)
        return str(failure)

    def list_tree(self) -> list[str]:
        """List the files of the tree, those out of sight too."""
        return sorted(
            os.path.join(directory, name)
            for directory, _, names in os.walk(self.root)
            for name in names
            if name != "lock"
        )

    def read_manifest(self, repository: str, reference: str | Digest) -> tuple[str, bytes]:
        """Ask the store for a manifest."""
        found = RegistryTree(self.root).find_repository(None, repository)
        content = found.open_manifest(reference)
        with content.file as file:
            return content.media_type, file.read()

    def read_blob(self, repository: str, content: bytes) -> bytes:
        """Ask the store for a blob."""
        found = RegistryTree(self.root).find_repository(None, repository)
        with found.open_blob(Digest.of(content)).file as file:
            return file.read()


class ImportTests(ImporterTestCase):
    """Tests for archives that are good."""

    def test_layout(self) -> None:
        """An image of an OCI layout is served as it was, under its digest."""
        (image,) = self.import_members(make_image_layout(AMD64))
        self.assertEqual(str(image), "rancher/mirrored-pause:3.6")
        self.assertEqual(image.digest, Digest.of(AMD64.manifest))
        self.assertEqual(image.size, sum(len(content) for content in AMD64.blobs))
        served = self.read_manifest("rancher/mirrored-pause", "3.6")
        self.assertEqual(served, (OCI_MANIFEST, AMD64.manifest))
        for content in AMD64.blobs:
            self.assertEqual(self.read_blob("rancher/mirrored-pause", content), content)

    def test_k3s_tarball(self) -> None:
        """The index keeps its digest; platforms that are not there are told."""
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
        """Layers that are links are found, and one manifest is made, always the same."""
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
        """Where Docker 25.0 lost a layer from its manifest, its own list is believed."""
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
        """A layout that is a directory is taken as it lies."""
        source = self.mktemp()
        with tarfile.open(fileobj=io.BytesIO(make_tar(make_image_layout(AMD64)))) as tar:
            tar.extractall(source, filter="data")
        with TreeWriter(self.root, "a test") as tree:
            Importer(tree).import_archive(source, io.BytesIO())
        self.assertEqual(self.read_manifest("rancher/mirrored-pause", "3.6")[1], AMD64.manifest)

    def test_again(self) -> None:
        """What is there already is not written again."""
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
        """With hosts kept, an image lies below that of its registry."""
        (image,) = self.import_members(make_image_layout(AMD64), trimmed=False)
        self.assertEqual(image.place, "docker.io/rancher/mirrored-pause")
        self.assertEqual(
            list(RegistryTree(self.root).iterate_repositories("")),
            ["docker.io/rancher/mirrored-pause"],
        )

    def test_platform(self) -> None:
        """Only what is wanted is taken of an index, and nothing else counts as missing."""
        members = make_k3s_layout([AMD64, ARM64], [S390X])
        (image,) = self.import_members(members, platforms=[Platform("linux", "arm64", "v8")])
        self.assertEqual(image.missing, ())
        blobs = os.listdir(os.path.join(self.root, "blobs"))
        self.assertEqual(sorted(blobs), sorted(str(Digest.of(one)) for one in ARM64.blobs))

    def test_name(self) -> None:
        """An image without a name gets one, with the tag that it has."""
        members = make_image_layout(AMD64, {"org.opencontainers.image.ref.name": "1.0"})
        (image,) = self.import_members(members, name="quay.io/a/b")
        self.assertEqual((str(image), str(image.reference)), ("a/b:1.0", "quay.io/a/b:1.0"))


class RefusalTests(ImporterTestCase):
    """Tests for archives that are refused: the tree stays as it was."""

    def setUp(self) -> None:
        """Make a tree with something in it."""
        super().setUp()
        self.import_members(make_image_layout(ARM64, {CONTAINERD_NAME: "docker.io/a/b:1"}))

    def test_damaged_blob(self) -> None:
        """A blob that is not what its name says is named."""
        members = make_image_layout(AMD64)
        at = members.index(blob(AMD64.layers[1]))
        path, content = members[at]
        members[at] = (path, content.replace(b"etc/a", b"etc/x"))
        said = self.refuse(members)
        self.assertTrue(said.startswith(f"-: '{path}' is damaged, its bytes are sha256:"), said)

    def test_damaged_layer(self) -> None:
        """So is a layer of a docker-archive that its config does not know."""
        members = make_docker_archive(AMD64)
        at, path = next(
            (at, one[0])
            for at, one in enumerate(members)
            if isinstance(one, tuple) and one[1] == AMD64.layers[1]
        )
        members[at] = (path, AMD64.layers[1].replace(b"etc/a", b"etc/x"))
        expected = f"'{path}' is not the layer that the config names, {Digest.of(AMD64.layers[1])}"
        self.assertIn(expected, self.refuse(members))

    def test_cut_short(self) -> None:
        """Wherever an archive is cut off, nothing of it is taken."""
        archive = make_tar(make_image_layout(AMD64))
        before = self.list_tree()
        for end in range(0, archive.rindex(b"1.0.0") + 512, 499):
            self.assertRaises(ArchiveInvalid, self.import_stream, archive[:end])
            self.assertEqual(self.list_tree(), before)

    def test_lost_layer(self) -> None:
        """An image that lacks a layer is refused, and the layer named."""
        members = [one for one in make_image_layout(AMD64) if one != blob(AMD64.layers[0])]
        self.assertEqual(
            self.refuse(members),
            f"-: {NAME} is not whole: blob {Digest.of(AMD64.layers[0])} of "
            f"{Digest.of(AMD64.manifest)} is not in the archive, with "
            f"{len(AMD64.layers[0])} bytes; export the image anew",
        )

    def test_claims(self) -> None:
        """A member that claims 10 TB is refused before anything is written."""
        giant = tarfile.TarInfo("blobs/giant")
        giant.size = 10 * 10**12
        header = giant.tobuf(tarfile.GNU_FORMAT)
        failure = self.assertRaises(ArchiveInvalid, self.import_stream, header + bytes(4096))
        self.assertIn("'blobs/giant' has 10000000000000 bytes, and only", str(failure))

    def test_collision(self) -> None:
        """Two images that only their hosts tell apart are not put upon each other."""
        descriptors = [
            describe(OCI_MANIFEST, image.manifest, annotations={CONTAINERD_NAME: name})
            for image, name in ((AMD64, "docker.io/x/y:1"), (S390X, "quay.io/x/y:1"))
        ]
        contents = [c for image in (AMD64, S390X) for c in (*image.blobs, image.manifest)]
        layout = make_layout(list(dict.fromkeys(contents)), descriptors)
        self.assertEqual(
            self.refuse(layout),
            "-: docker.io/x/y:1 and quay.io/x/y:1 differ, and both would be x/y:1: "
            "keep the hosts with --no-trim",
        )
        self.assertEqual(len(self.import_members(layout, trimmed=False)), 2)

    def test_platform_that_is_not_there(self) -> None:
        """An archive with nothing for the wanted platform says what it has."""
        said = self.refuse(make_k3s_layout([AMD64], []), platforms=[Platform("linux", "arm")])
        self.assertIn("has nothing for the wanted platforms, but for linux/amd64", said)

    def test_wanted_platform_is_missing(self) -> None:
        """So does one whose index names the platform, and that is all."""
        said = self.refuse(
            make_k3s_layout([AMD64], [ARM64]), platforms=[Platform("linux", "arm64")]
        )
        self.assertIn(f"manifest {Digest.of(ARM64.manifest)} (linux/arm64) is not in", said)
