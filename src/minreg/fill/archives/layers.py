"""Layers whose archive does not say what they are: their compression and their diff_id."""

import hashlib

from minreg.fill.archives.compression import Readable, detect_compression, open_decompressed
from minreg.fill.archives.contents import Spooled
from minreg.fill.archives.failures import ArchiveInvalid
from minreg.media_types import DOCKER_LAYER
from minreg.names import Digest

_MEDIA_TYPES = {
    None: DOCKER_LAYER,
    "gzip": f"{DOCKER_LAYER}.gzip",
    "zstd": f"{DOCKER_LAYER}.zstd",
}
_CHUNK = 1024 * 1024
_LONGEST_MAGIC = 6


def check_layer(path: str, layer: Spooled, diff_id: Digest) -> str:
    """Make sure that a layer is the one that a config names.

    Args:
        path: What the archive calls it.
        layer: The layer.
        diff_id: The digest that it must have once it is decompressed.

    Returns:
        Its media type.

    Raises:
        ArchiveInvalid: It is another, damaged, or compressed as no node unpacks it.
    """
    with layer.open() as file:
        compression = detect_compression(file.read(_LONGEST_MAGIC))
        if compression not in _MEDIA_TYPES:
            raise ArchiveInvalid(
                f"{path!r} is a layer compressed with {compression}, which no node unpacks: "
                "export the image with another compression"
            )
        digest = layer.digest
        if compression is not None or digest.algorithm != diff_id.algorithm:
            file.seek(0)
            digest = _digest_decompressed(path, file, diff_id.algorithm)
    if digest != diff_id:
        raise ArchiveInvalid(
            f"{path!r} is not the layer that the config names, {diff_id}, "
            f"but {digest}: export the image anew"
        )
    return _MEDIA_TYPES[compression]


def _digest_decompressed(path: str, layer: Readable, algorithm: str) -> Digest:
    computed = hashlib.new(algorithm)
    try:
        decompressed = open_decompressed(layer)
        while chunk := decompressed.read(_CHUNK):
            computed.update(chunk)
    except ArchiveInvalid as error:
        raise ArchiveInvalid(f"{path!r}: {error}") from None
    return Digest(algorithm, computed.hexdigest())
