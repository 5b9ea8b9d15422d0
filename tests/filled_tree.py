"""A tree with some images, for tests of what looks at trees."""

import json
import os
from typing import Any

from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest


class FilledTree:
    """Puts images into the tree at ``root``."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)

    def path(self, *names: str) -> str:
        """Name a path in the tree."""
        return os.path.join(self.root, *names)

    def blob_path(self, content: bytes) -> str:
        """Name the file of a blob."""
        return self.path("blobs", str(Digest.of(content)))

    def add_blob(self, place: str, media_type: str, content: bytes) -> dict[str, Any]:
        """Add a blob, and describe it."""
        digest = Digest.of(content)
        with TreeWriter(self.root, "a test") as tree:
            if not tree.has_blob(place, digest, len(content)):
                with tree.open_partial(digest) as partial:
                    partial.write(content)
                    partial.commit(len(content))
            tree.link_blob(place, digest, len(content))
        return {"mediaType": media_type, "digest": str(digest), "size": len(content)}

    def add_document(self, place: str, document: dict[str, Any], *tags: str) -> dict[str, Any]:
        """Add a manifest or an index, tag it, and describe it."""
        content = json.dumps(document).encode("ascii")
        with TreeWriter(self.root, "a test") as tree:
            digest = tree.write_manifest(place, content)
            for tag in tags:
                tree.tag(place, tag, digest)
        return {
            "mediaType": document["mediaType"],
            "digest": str(digest),
            "size": len(content),
        }

    def add_image(
        self,
        place: str,
        architecture: str,
        *layers: bytes,
        tags: tuple[str, ...] = (),
        **more: Any,
    ) -> dict[str, Any]:
        """Add an image, and describe it with its platform."""
        platform = {"os": "linux", "architecture": architecture}
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.add_blob(place, OCI_CONFIG, json.dumps(platform).encode("ascii")),
            "layers": [self.add_blob(place, OCI_LAYER, layer) for layer in layers],
            **more,
        }
        return {**self.add_document(place, document, *tags), "platform": platform}

    def add_index(self, place: str, *images: dict[str, Any], tag: str) -> dict[str, Any]:
        """Add an index, and describe it."""
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(images)}
        return self.add_document(place, index, tag)
