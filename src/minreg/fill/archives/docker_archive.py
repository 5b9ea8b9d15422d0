"""Layers whose archive does not say what they are: their compression and their diff_id."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from minreg.fill.archives.compression import Readable, detect_compression, open_decompressed
from minreg.fill.archives.contents import (
    DOCKER_DOCUMENT,
    ArchiveContents,
    StagedFile,
    read_spooled,
)
from minreg.fill.archives.members import clean_path
from minreg.fill.archives.naming import ArchivedImage, parse_json, read_diff_ids
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, Digest

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

    def check(self, path: str, layer: StagedFile, diff_id: Digest) -> str:
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

    def _look(self, path: str, layer: StagedFile, algorithm: str) -> tuple[str, Digest]:
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


_CONFIG_PATH = re.compile(r"(?:sha256:)?([0-9a-f]{64})(?:\.json)?")


@attrs.frozen
class _Entry:
    """An image in ``manifest.json``: paths of members, and names."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]

    def __str__(self) -> str:
        return self.names[0] if self.names else self.config


def list_docker_images(contents: ArchiveContents) -> list[ArchivedImage]:
    """List the images of a docker-archive.

    Raises:
        ArchiveInvalid: It is none, it is damaged, or it lacks a config or a layer.
    """
    content = contents.document(DOCKER_DOCUMENT)
    if content is None:
        raise ArchiveInvalid(
            f"it has neither an 'oci-layout' nor a {DOCKER_DOCUMENT!r}, so it is no image "
            "archive: give what 'docker save' or 'ctr images export' writes"
        )
    entries = parse_json(DOCKER_DOCUMENT, content)
    if not isinstance(entries, list):
        raise ArchiveInvalid(
            f"{DOCKER_DOCUMENT!r} lists no images: export them as docker-archive or OCI layout"
        )
    known = Layers()
    return [_make_image(contents, known, _parse_entry(entry)) for entry in entries]


def _parse_entry(entry: Any) -> _Entry:
    fields = entry if isinstance(entry, dict) else {}
    config = fields.get("Config")
    layers = _read_texts(fields.get("Layers"))
    names = _read_texts(fields.get("RepoTags") or [])
    if not isinstance(config, str) or layers is None or names is None:
        raise ArchiveInvalid(
            f"{DOCKER_DOCUMENT!r} has an image without a Config, Layers and RepoTags "
            "as they should be: export the image anew"
        )
    return _Entry(clean_path(config), names, tuple(clean_path(path) for path in layers))


def _read_texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


def _make_image(contents: ArchiveContents, known: Layers, entry: _Entry) -> ArchivedImage:
    config = _find(contents, entry, entry.config)
    _check_config_path(entry, config)
    diff_ids = read_diff_ids(entry.config, read_spooled(config))
    if len(diff_ids) != len(entry.layers):
        raise ArchiveInvalid(
            f"{entry} has {len(entry.layers)} layers, and its config {entry.config!r} "
            f"names {len(diff_ids)}: export the image anew"
        )
    layers = []
    for path, diff_id in zip(entry.layers, diff_ids, strict=True):
        layer = _find(contents, entry, path)
        layers.append(_describe(known.check(path, layer, diff_id), layer))
    manifest = _make_manifest(_describe(DOCKER_CONFIG, config), layers)
    return ArchivedImage(contents.add_manifest(manifest), entry.names)


def _find(contents: ArchiveContents, entry: _Entry, path: str) -> StagedFile:
    spooled = contents.find(path)
    if spooled is None:
        raise ArchiveInvalid(
            f"{DOCKER_DOCUMENT!r} names {path!r} for {entry}, which is not in the archive: "
            "export the image anew"
        )
    return spooled


def _check_config_path(entry: _Entry, config: StagedFile) -> None:
    """Compare a config with the digest that it is called by, the only one there is of it."""
    match = _CONFIG_PATH.fullmatch(entry.config)
    if match is not None and config.digest != Digest("sha256", match[1]):
        raise ArchiveInvalid(
            f"{entry.config!r} is damaged, it is really {config.digest}: copy the archive again"
        )


def _describe(media_type: str, content: StagedFile) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(content.digest), "size": content.size}


def _make_manifest(config: dict[str, Any], layers: Sequence[dict[str, Any]]) -> bytes:
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": config,
        "layers": layers,
    }
    return json.dumps(manifest, separators=(",", ":")).encode("ascii")
