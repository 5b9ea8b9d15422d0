"""Archives from public issues of other tools, which ``minreg import`` must read or explain.

Each test names the issue. The archives are made here, in the way that the issue describes.
"""

import io
import tarfile

from minreg.fill.verify import Verification
from minreg.oci.names import OCI_INDEX, Digest
from minreg.store.index import fallback_tag
from tests.image_archives import (
    CONTAINERD_NAME,
    NAME,
    REFERENCE_NAME,
    Artifact,
    Image,
    Members,
    describe,
    make_annotated_layout,
    make_image_layout,
    make_index,
    make_layout,
    make_link,
    make_tar,
    to_json,
)
from tests.importing import AMD64, ARM64, ImporterTestCase

IMAGE = Digest.of(AMD64.manifest)


class PublicIssuesTests(ImporterTestCase):
    """Tests for archives that other tools refuse, or import incompletely."""

    def assert_complete(self, *names: str) -> None:
        """Check that the tree has these images, and nothing else."""
        report = Verification(self.root).run(lambda _: None)
        self.assertEqual((report.broken, report.orphans), ([], 0))
        self.assertEqual([str(finding.image) for finding in report.findings], list(names))

    def test_containerd_12890(self) -> None:
        """Broken links in the directories of an old format do not matter if nothing uses them."""
        config = f"{Digest.of(AMD64.config).encoded}.json"
        layers = {f"{Digest.of(layer).encoded}.tar": layer for layer in AMD64.layers}
        entry = {"Config": config, "RepoTags": [NAME], "Layers": list(layers)}
        links = [
            make_link(f"{number:064x}/layer.tar", f".{path}") for number, path in enumerate(layers)
        ]
        members: Members = [
            *links,
            *layers.items(),
            (config, AMD64.config),
            ("manifest.json", to_json([entry])),
        ]
        self.import_members(members)
        self.assert_complete("rancher/mirrored-pause:3.6")

    def test_moby_47517(self) -> None:
        """Attributes of macOS, and the files in which it keeps others, are ignored."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, content in make_image_layout(AMD64):
                directory, slash, name = path.rpartition("/")
                for member, data in (
                    (f"{directory}{slash}._{name}", b"\0\5\x16\7"),
                    (path, content),
                ):
                    header = tarfile.TarInfo(f"./{member}")
                    header.size = len(data)
                    header.pax_headers = {
                        "SCHILY.xattr.com.apple.provenance": "\1\0\n=12 path=/etc\n",
                        "LIBARCHIVE.xattr.com.apple.quarantine": "MDA4MTs2NTA=",
                    }
                    tar.addfile(header, io.BytesIO(data))
        self.import_stream(packed.getvalue())
        self.assert_complete("rancher/mirrored-pause:3.6")

    def test_hauler_667(self) -> None:
        """The signature of an image that is named by its digest has the same name in a haul."""
        signature = Artifact(b"signature")
        for name, reference in (("a/b", f"@{IMAGE}"), ("a/b:1", f":1@{IMAGE}")):
            self.root = self.mktemp()
            named = {CONTAINERD_NAME: f"ghcr.io/a/b{reference}", REFERENCE_NAME: f"a/b{reference}"}
            layout = make_annotated_layout(
                (signature, {**named, "kind": "dev.hauler/sigs"}),
                (AMD64, {**named, "kind": "dev.hauler/image"}),
            )
            self.import_members(layout)
            image = name if ":" in name else f"a/b@{IMAGE}"
            signed = f"a/b:{fallback_tag(IMAGE)}.sig"
            self.assert_complete(*sorted([image, signed], key=lambda text: ("@" in text, text)))

    def test_skopeo_2463(self) -> None:
        """A layout whose own index lists the platforms of one image is one image."""
        members = make_layout(
            [c for one in (AMD64, ARM64) for c in (*one.blobs, one.manifest)],
            [AMD64.descriptor, ARM64.descriptor],
        )
        self.import_members(members, name="ttl.sh/tiny-jammy:1h")
        self.assertEqual(self.read_manifest("tiny-jammy", "1h")[0], OCI_INDEX)
        self.assert_complete("tiny-jammy:1h")

    def test_skopeo_425(self) -> None:
        """The files that ``skopeo copy`` writes for ``dir:`` may be packed."""
        files = [(Digest.of(content).encoded, content) for content in AMD64.blobs]
        members = [*files, ("version", b"1.1"), ("manifest.json", AMD64.manifest)]
        self.import_members(members, name="quay.io/keycloak/keycloak:18.0.0")
        self.assert_complete("keycloak/keycloak:18.0.0")

    def test_podman_29196(self) -> None:
        """One index may have several names."""
        index = make_index([AMD64.descriptor, ARM64.descriptor])
        described = [
            describe(OCI_INDEX, index, annotations={REFERENCE_NAME: f"localhost/ko:{tag}"})
            for tag in ("latest", "stable")
        ]
        contents = [c for one in (AMD64, ARM64) for c in (*one.blobs, one.manifest)]
        self.import_members(make_layout([*contents, index], described))
        self.assert_complete("ko:latest", "ko:stable")

    def test_ociregistry_30(self) -> None:
        """The tag that ``crane pull`` writes for an image by digest is no tag."""
        config = "config.json"
        entry = {
            "Config": config,
            "RepoTags": ["index.docker.io/grafana/grafana:i-was-a-digest"],
            "Layers": ["0.tar", "1.tar"],
        }
        files = [(f"{number}.tar", layer) for number, layer in enumerate(AMD64.layers)]
        archive = [*files, (config, AMD64.config), ("manifest.json", to_json([entry]))]
        self.assertIn("give --name REPOSITORY:TAG", self.refuse(archive))
        self.import_members(archive, name="grafana/grafana:12")
        self.assert_complete("grafana/grafana:12")

    def test_containerd_7676(self) -> None:
        """An index with an image for Windows, whose first layer no registry has."""
        windows = Image(layers=(make_tar([("w", b"w")]), make_tar([("b", b"b")])), os="windows")
        index = make_index([AMD64.descriptor, windows.descriptor])
        contents = [*AMD64.blobs, AMD64.manifest, *windows.blobs, windows.manifest, index]
        contents.remove(windows.layers[0])
        described = describe(OCI_INDEX, index, annotations={CONTAINERD_NAME: "rancher/wins:1"})
        (image,) = self.import_members(make_layout(contents, [described]))
        self.assertEqual([str(platform) for platform in image.missing], ["windows/amd64"])
        self.assert_complete("rancher/wins:1")
