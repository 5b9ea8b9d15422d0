"""Builds registry trees for tests, in the layouts that are in use."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest


class TreeBuilder:
    """Fills a directory as K3s' air-gap script does: shared blobs, a link for each level."""

    def __init__(self, root: str) -> None:
        self.root = root
        os.makedirs(os.path.join(root, "blobs"))

    def path(self, *names: str) -> str:
        """Return the path of something in the tree."""
        return os.path.join(self.root, *names)

    def add_repository(self, name: str) -> None:
        """Make a repository that shares the tree's blobs."""
        os.makedirs(self.path(name, "manifests"), exist_ok=True)
        place = self.root
        for part in name.split("/"):
            place = os.path.join(place, part)
            if not os.path.lexists(os.path.join(place, "blobs")):
                os.symlink("../blobs", os.path.join(place, "blobs"))

    def add_blob(self, content: bytes) -> Digest:
        """Write a blob to the directory that all repositories share."""
        digest = Digest.of(content)
        self.write(content, "blobs", str(digest))
        return digest

    def add_manifest(
        self, repository: str, document: Mapping[str, Any], tag: str | None = None
    ) -> Digest:
        """Write a manifest or an index to a repository, and link a tag to it."""
        self.add_repository(repository)
        content = json.dumps(document).encode()
        digest = Digest.of(content)
        self.write(content, repository, "manifests", str(digest))
        if tag is not None:
            self.add_tag(repository, tag, digest)
        return digest

    def add_image(
        self, repository: str, tag: str | None = None, layer: bytes = b"layer"
    ) -> Digest:
        """Write an image with one layer to a repository."""
        return self.add_manifest(repository, self.image(layer), tag)

    def add_tag(self, repository: str, tag: str, digest: Digest) -> None:
        """Link a tag to a manifest."""
        os.symlink(str(digest), self.path(repository, "manifests", tag))

    def image(self, layer: bytes = b"layer", **more: object) -> dict[str, Any]:
        """Return the manifest of an image, and write its blobs."""
        config = b'{"architecture": "amd64", "os": "linux"}'
        return {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, self.add_blob(config), len(config)),
            "layers": [descriptor(OCI_LAYER, self.add_blob(layer), len(layer))],
            **more,
        }

    def link_out(self, repository: str) -> str:
        """Create a repository whose ``manifests`` links out of the root; return the target."""
        target = os.path.join(os.path.dirname(self.root), "outside")
        os.makedirs(target, exist_ok=True)
        os.makedirs(self.path(repository))
        os.symlink(target, self.path(repository, "manifests"))
        return target

    def write(self, content: bytes, *names: str) -> str:
        """Write a file, and return its path."""
        path = self.path(*names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path


def descriptor(media_type: str, digest: Digest, size: int, **more: object) -> dict[str, Any]:
    """Return a descriptor."""
    return {"mediaType": media_type, "digest": str(digest), "size": size, **more}


def index(children: Sequence[Mapping[str, Any]], **more: object) -> dict[str, Any]:
    """Return an index."""
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(children), **more}
