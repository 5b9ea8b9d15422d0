"""Layers whose archive does not say what they are: their compression and their diff_id."""

import hashlib
from collections.abc import Iterator

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
LARGEST_LAYER = 128 * 1024 * 1024 * 1024
"""Bytes; no node unpacks more."""

_CHUNK = 1024 * 1024
_LONGEST_MAGIC = 6


class Layers:
    """The layers of one archive, each of them looked at once however many images have it.

    Args:
        largest: Bytes that a layer may have once it is decompressed.
    """

    def __init__(self, largest: int = LARGEST_LAYER) -> None:
        self._largest = largest
        self._known: dict[tuple[Digest, str], tuple[str, Digest]] = {}

    def check(self, path: str, layer: Spooled, diff_id: Digest) -> str:
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
        key = (layer.digest, diff_id.algorithm)
        if key not in self._known:
            self._known[key] = self._look(path, layer, diff_id.algorithm)
        media_type, digest = self._known[key]
        if digest != diff_id:
            raise ArchiveInvalid(
                f"{path!r} is not the layer that the config names, {diff_id}, "
                f"but {digest}: export the image anew"
            )
        return media_type

    def _look(self, path: str, layer: Spooled, algorithm: str) -> tuple[str, Digest]:
        """Find out a layer's media type, and its digest once it is decompressed."""
        with layer.open() as file:
            compression = detect_compression(file.read(_LONGEST_MAGIC))
            if compression not in _MEDIA_TYPES:
                raise ArchiveInvalid(
                    f"{path!r} is a layer compressed with {compression}, which no node unpacks: "
                    "export the image with another compression"
                )
            digest = layer.digest
            if compression is not None or digest.algorithm != algorithm:
                file.seek(0)
                digest = _digest_decompressed(path, file, algorithm, self._largest)
        return _MEDIA_TYPES[compression], digest


def _digest_decompressed(path: str, layer: Readable, algorithm: str, largest: int) -> Digest:
    computed = hashlib.new(algorithm)
    try:
        for chunk in _decompress(layer, largest):
            computed.update(chunk)
    except ArchiveInvalid as error:
        raise ArchiveInvalid(f"{path!r}: {error}") from None
    return Digest(algorithm, computed.hexdigest())


def _decompress(layer: Readable, largest: int) -> Iterator[bytes]:
    room = largest
    decompressed = open_decompressed(layer)
    while chunk := decompressed.read(_CHUNK):
        room -= len(chunk)
        if room < 0:
            raise ArchiveInvalid("this layer becomes larger than a node has room for")
        yield chunk
