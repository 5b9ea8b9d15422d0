"""What containerd keeps of layers that it has unpacked, and need not keep.

Source: containerd, ``docs/content-flow.md``: blobs lie as they came in the content store, layers
unpacked among the snapshots. ``discard_unpacked_layers`` lets go of the former.
"""

import attrs

from minreg.manifests import ManifestInvalid, parse_manifest
from minreg.node.doctor.files import MOST_BYTES, NodeFiles

_BLOBS = "io.containerd.content.v1.content/blobs/sha256"


@attrs.frozen
class StoredLayers:
    """The layers in a content store: how many, and their bytes."""

    number: int
    size: int


def look_at_layers(files: NodeFiles, directory: str) -> StoredLayers | None:
    """Add up the layers in containerd's content store.

    Returns:
        None if there is no content store, or nothing of it can be read.
    """
    blobs = f"{directory}/{_BLOBS}"
    sizes = {
        name: status.st_size
        for name in files.names(blobs)
        if (status := files.status(f"{blobs}/{name}")) is not None
    }
    if not sizes:
        return None
    small = [name for name, size in sizes.items() if size <= MOST_BYTES]
    layers = {layer for name in small for layer in _read_layers(files, f"{blobs}/{name}")}
    stored = [sizes[layer] for layer in layers if layer in sizes]
    return StoredLayers(len(stored), sum(stored))


def _read_layers(files: NodeFiles, path: str) -> list[str]:
    """Name the layers that a manifest lists; a blob that is none lists nothing."""
    file = files.read(path)
    if file is None or not file.content.startswith(b"{"):
        return []
    try:
        manifest = parse_manifest(file.content)
    except ManifestInvalid:
        return []
    return [layer.digest.encoded for layer in manifest.layers]
