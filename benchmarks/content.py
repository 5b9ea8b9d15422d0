"""What is served: the same content in a tree, and in the layout of docker-registry."""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping

import attrs

REPOSITORY = "library/bench"
TAG = "1.0"

_MEBIBYTE = 1 << 20


@attrs.frozen
class Content:
    """An image that lies below ``directory``, and the paths at which it is asked for.

    ``tree`` is the registry tree, also reachable as ``directory/v2``; ``storage`` is for
    docker-registry.
    """

    directory: str
    manifest: str
    config: str
    layer: str
    large_layer: str

    @property
    def tree(self) -> str:
        """The registry tree."""
        return os.path.join(self.directory, "v2")

    def blobs(self) -> "Blobs":
        """Have more put where this content lies."""
        return Blobs(self.directory)

    def describe(self, layers: Mapping[str, int]) -> bytes:
        """Write a manifest of the config and some layers, each with its size."""
        layer_type = "application/vnd.oci.image.layer.v1.tar+gzip"
        return json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": self.config.rpartition("/")[2],
                    "size": 8192,
                },
                "layers": [
                    {"mediaType": layer_type, "digest": digest, "size": size}
                    for digest, size in layers.items()
                ],
                "annotations": {"org.opencontainers.image.description": "x" * 300},
            }
        ).encode("ascii")

    @property
    def storage(self) -> str:
        """The same content as docker-registry keeps it."""
        return os.path.join(self.directory, "storage")


def make_content(directory: str) -> Content:
    """Write an image with layers of 100 MiB and 1 GiB, and a config of 8 KiB."""
    for place in ("manifests", "blobs"):
        os.makedirs(os.path.join(directory, "v2", REPOSITORY, place))
    blobs = Blobs(directory)
    config = blobs.add([json.dumps({"architecture": "amd64", "os": "linux"}).encode().ljust(8192)])
    layer = blobs.add([secrets.token_bytes(_MEBIBYTE)] * 100)
    large = blobs.add([secrets.token_bytes(_MEBIBYTE)] * 1024)
    base = f"/v2/{REPOSITORY}/blobs/"
    manifest = f"/v2/{REPOSITORY}/manifests/{TAG}"
    content = Content(directory, manifest, base + config, base + layer, base + large)
    sizes = {layer: 100 * _MEBIBYTE, large: 1024 * _MEBIBYTE}
    blobs.add_manifest(content.describe(sizes), TAG)
    return content


class Blobs:
    """Puts content into both layouts; they share the bytes by hard links."""

    def __init__(self, directory: str) -> None:
        self._tree = os.path.join(directory, "v2", REPOSITORY)
        self._registry = os.path.join(directory, "storage", "docker", "registry", "v2")

    def add(self, pieces: list[bytes], place: str = "blobs") -> str:
        """Add a blob, given in pieces, and return its digest."""
        whole = hashlib.sha256()
        for piece in pieces:
            whole.update(piece)
        digest = f"sha256:{whole.hexdigest()}"
        path = os.path.join(self._tree, place, digest)
        with open(path, "wb") as file:
            file.writelines(pieces)
        hexadecimal = whole.hexdigest()
        shelf = os.path.join(self._registry, "blobs", "sha256", hexadecimal[:2], hexadecimal)
        os.makedirs(shelf)
        os.link(path, os.path.join(shelf, "data"))
        self._link(digest, "_layers", "sha256", hexadecimal)
        return digest

    def add_manifest(self, manifest: bytes, tag: str) -> None:
        """Add a manifest and its tag."""
        digest = self.add([manifest], "manifests")
        os.symlink(digest, os.path.join(self._tree, "manifests", tag))
        hexadecimal = digest.removeprefix("sha256:")
        self._link(digest, "_manifests", "revisions", "sha256", hexadecimal)
        self._link(digest, "_manifests", "tags", tag, "current")
        self._link(digest, "_manifests", "tags", tag, "index", "sha256", hexadecimal)

    def _link(self, digest: str, *place: str) -> None:
        directory = os.path.join(self._registry, "repositories", REPOSITORY, *place)
        os.makedirs(directory)
        with open(os.path.join(directory, "link"), "w", encoding="ascii") as file:
            file.write(digest)
