"""Tests for ``minreg.fill.archives.docker_archive`` and its layers."""

import bz2
import gzip
import json
from typing import Any

import zstandard
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.docker_archive import list_docker_images
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import Digest
from tests.archives_support import read_members
from tests.image_archives import Image, Members, make_docker_archive, to_json

IMAGE = Image()
CONFIG = f"{Digest.of(IMAGE.config).encoded}.json"
ENTRY = {"Config": CONFIG, "RepoTags": ["a:1", "b:2"], "Layers": ["0.tar", "1.tar"]}
LAYERS = [("0.tar", IMAGE.layers[0]), ("1.tar", IMAGE.layers[1])]


def make_archive(**changes: Any) -> Members:
    """Return the members of an archive whose entry has other fields."""
    entry = {key: value for key, value in (ENTRY | changes).items() if value is not ...}
    return [*LAYERS, (CONFIG, IMAGE.config), ("manifest.json", to_json([entry]))]


def read_manifests(members: Members) -> list[bytes]:
    """Return the manifests that are generated for the images of an archive."""
    contents = read_members(members)
    return [contents.read_file(image.digest) for image in list_docker_images(contents)]


class DockerArchiveTests(SynchronousTestCase):
    """Tests for ``list_docker_images``."""

    def test_manifest(self) -> None:
        """The generated manifest is that of containerd, byte for byte."""
        (manifest,) = read_manifests(make_docker_archive(IMAGE))
        first, second = IMAGE.layers
        expected = (
            '{"schemaVersion":2,'
            '"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
            '"config":{"mediaType":"application/vnd.docker.container.image.v1+json",'
            f'"digest":"{Digest.of(IMAGE.config)}","size":{len(IMAGE.config)}}},'
            '"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar",'
            f'"digest":"{Digest.of(first)}","size":{len(first)}}},'
            '{"mediaType":"application/vnd.docker.image.rootfs.diff.tar",'
            f'"digest":"{Digest.of(second)}","size":{len(second)}}}]}}'
        ).encode()
        self.assertEqual(manifest, expected)

    def test_names(self) -> None:
        """An image has all names that the archive gives it, or none."""
        (image,) = list_docker_images(read_members(make_archive()))
        self.assertEqual(image.names, ("a:1", "b:2"))
        missing: tuple[Any, ...] = (None, [], ...)
        for absent in missing:
            (image,) = list_docker_images(read_members(make_archive(RepoTags=absent)))
            self.assertEqual((image.names, str(image)), ((), str(image.digest)))

    def test_paths(self) -> None:
        """Paths may be spelled with a dot in front."""
        layers = ["./0.tar", ".//1.tar"]
        self.assertEqual(
            read_manifests(make_archive(Layers=layers)), read_manifests(make_archive())
        )

    def test_compressed(self) -> None:
        """A compressed layer stays compressed, and its decompressed digest is checked."""
        packed = [("0.tar", gzip.compress(IMAGE.layers[0]))]
        packed.append(("1.tar", zstandard.compress(IMAGE.layers[1])))
        members = [*packed, *make_archive()[2:]]
        (manifest,) = read_manifests(members)
        layers = json.loads(manifest)["layers"]
        prefix = "application/vnd.docker.image.rootfs.diff.tar"
        self.assertEqual(
            [(layer["mediaType"], layer["digest"]) for layer in layers],
            [
                (f"{prefix}.gzip", str(Digest.of(packed[0][1]))),
                (f"{prefix}.zstd", str(Digest.of(packed[1][1]))),
            ],
        )


class RefusedDockerArchiveTests(SynchronousTestCase):
    """Tests for ``list_docker_images`` with damaged or hostile archives."""

    def refuse(self, members: Members) -> str:
        """List the images of an archive that is refused, and return the error."""
        contents = read_members(members)
        return str(self.assertRaises(ArchiveInvalid, list_docker_images, contents))

    def test_malformed(self) -> None:
        """A malformed manifest.json is refused."""
        for content in (b"", b"\xff", b"[" * 100_000):
            said = self.refuse([("manifest.json", content)])
            self.assertIn("'manifest.json' is not JSON", said)
        for content in (b"{}", b"null"):
            self.assertIn("has no list of images", self.refuse([("manifest.json", content)]))
        entries: tuple[dict[str, Any], ...] = (
            {"Config": ...},
            {"Config": 1},
            {"Layers": ...},
            {"Layers": "0.tar"},
            {"Layers": [1]},
            {"RepoTags": "a:1"},
            {"RepoTags": [None]},
        )
        for changes in entries:
            said = self.refuse(make_archive(**changes))
            self.assertIn("'manifest.json' has an image without valid Config, Layers and", said)
        self.assertIn("has an image without", self.refuse([("manifest.json", b"[3]")]))

    def test_paths(self) -> None:
        """A path that leads out of the archive is refused."""
        self.assertIn("'../0.tar' leads out", self.refuse(make_archive(Layers=["../0.tar"])))
        self.assertIn("'/etc/a' is an absolute", self.refuse(make_archive(Config="/etc/a")))

    def test_lost(self) -> None:
        """A missing config or layer is named, with its image."""
        said = self.refuse(make_archive()[1:])
        self.assertEqual(
            said,
            "'manifest.json' names '0.tar' for a:1, which is not in the archive; "
            "export the image again",
        )
        self.assertIn(f"names {CONFIG!r} for a:1", self.refuse(make_archive()[3:]))

    def test_damaged_config(self) -> None:
        """A config without the digest in its path is refused."""
        members = [*LAYERS, (CONFIG, IMAGE.config + b" "), *make_archive()[3:]]
        said = self.refuse(members)
        digest = Digest.of(IMAGE.config + b" ")
        self.assertEqual(
            said,
            f"{CONFIG!r} is damaged, its bytes have the digest {digest}; copy the archive again",
        )

    def test_foreign_config(self) -> None:
        """A config must list the diff_ids of its layers."""
        for config in (b"[]", b"{}", b'{"rootfs":[]}', b'{"rootfs":{}}'):
            members = [*LAYERS, ("c", config), *make_archive(Config="c")[3:]]
            self.assertIn("has 2 layers, but its config 'c' names 0", self.refuse(members))
        for config in (b'{"rootfs":{"diff_ids":["a"]}}', b'{"rootfs":{"diff_ids":1}}'):
            members = [*LAYERS, ("c", config), *make_archive(Config="c")[3:]]
            self.assertIn("the config 'c' has no valid list of layers", self.refuse(members))
        members = [*LAYERS, ("c", b"{"), *make_archive(Config="c")[3:]]
        self.assertIn("'c' is not JSON", self.refuse(members))

    def test_swapped_layers(self) -> None:
        """Layers in another order than the config's are refused."""
        said = self.refuse(make_archive(Layers=["1.tar", "0.tar"]))
        self.assertIn("the config names the layer '1.tar' by the diff_id", said)

    def test_compressed_layers(self) -> None:
        """A damaged layer is refused, and one with a compression that no node supports."""
        cut = ("0.tar", gzip.compress(IMAGE.layers[0])[:-9])
        said = self.refuse([cut, *make_archive()[1:]])
        self.assertIn("the layer '0.tar': the gzip stream is truncated", said)
        packed = ("0.tar", bz2.compress(IMAGE.layers[0]))
        said = self.refuse([packed, *make_archive()[1:]])
        self.assertIn("the layer '0.tar' is compressed with bzip2, which no node", said)
        other = ("0.tar", gzip.compress(b"other"))
        said = self.refuse([other, *make_archive()[1:]])
        self.assertIn(f"but the layer has {Digest.of(b'other')}", said)
