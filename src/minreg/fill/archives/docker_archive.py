"""Images of a docker-archive (``docker save``): ``manifest.json``, configs and layers.

Such an archive has no OCI manifests, and does not state the compression of its layers. A
manifest is generated for each image, and each layer is checked against the diff_id (the
digest of the uncompressed layer) in the image's config.
"""

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
    read_staged,
)
from minreg.fill.archives.members import normalize_path
from minreg.fill.archives.naming import ArchivedImage, parse_json, read_diff_ids
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, Digest

_MEDIA_TYPES = {
    None: DOCKER_LAYER,
    "gzip": f"{DOCKER_LAYER}.gzip",
    "zstd": f"{DOCKER_LAYER}.zstd",
}

MAX_LAYER = 128 * 1024 * 1024 * 1024
"""Bytes of an uncompressed layer; no node unpacks more."""

_NO_TAG = ":i-was-a-digest"
"""The tag that 'crane pull' writes for an image that was pulled by its digest."""

_CHUNK = 1024 * 1024
_LONGEST_MAGIC = 6
_CONFIG_PATH = re.compile(r"(?:sha256:)?([0-9a-f]{64})(?:\.json)?")


class LayerChecker:
    """Checks the layers of one archive; reads each once, however many images share it.

    Args:
        max_size: Bytes that a layer may have when it is decompressed.
    """

    def __init__(self, max_size: int = MAX_LAYER) -> None:
        self._max_size = max_size
        self._inspected: dict[tuple[Digest, str], tuple[str, Digest]] = {}

    def check(self, path: str, layer: StagedFile, diff_id: Digest) -> str:
        """Check that a layer is the one that a config names.

        Args:
            path: The layer's path in the archive.
            layer: The layer.
            diff_id: The digest that it must have when it is decompressed.

        Returns:
            The layer's media type.

        Raises:
            ArchiveInvalid: The layer has another diff_id, is damaged, or has a compression
                that no node supports.
        """
        key = (layer.digest, diff_id.algorithm)
        if key not in self._inspected:
            self._inspected[key] = self._inspect(path, layer, diff_id.algorithm)
        media_type, digest = self._inspected[key]
        if digest != diff_id:
            raise ArchiveInvalid(
                f"the config names the layer {path!r} by the diff_id {diff_id}, "
                f"but the layer has {digest}; export the image again"
            )
        return media_type

    def _inspect(self, path: str, layer: StagedFile, algorithm: str) -> tuple[str, Digest]:
        """Return a layer's media type, and its digest when it is decompressed."""
        with layer.open() as file:
            compression = detect_compression(file.read(_LONGEST_MAGIC))
            if compression not in _MEDIA_TYPES:
                raise ArchiveInvalid(
                    f"the layer {path!r} is compressed with {compression}, which no node "
                    "supports; export the image with another compression"
                )
            digest = layer.digest
            if compression is not None or digest.algorithm != algorithm:
                file.seek(0)
                digest = _digest_decompressed(path, file, algorithm, self._max_size)
        return _MEDIA_TYPES[compression], digest


def _digest_decompressed(path: str, layer: Readable, algorithm: str, max_size: int) -> Digest:
    computed = hashlib.new(algorithm)
    try:
        for chunk in _decompress(layer, max_size):
            computed.update(chunk)
    except ArchiveInvalid as error:
        raise ArchiveInvalid(f"the layer {path!r}: {error}") from None
    return Digest(algorithm, computed.hexdigest())


def _decompress(layer: Readable, max_size: int) -> Iterator[bytes]:
    remaining = max_size
    decompressed = open_decompressed(layer)
    while chunk := decompressed.read(_CHUNK):
        remaining -= len(chunk)
        if remaining < 0:
            raise ArchiveInvalid(
                f"more than {max_size} bytes when decompressed, which no node has room for; "
                "export another image"
            )
        yield chunk


@attrs.frozen
class _DockerImage:
    """An image in ``manifest.json``: the paths of its config and layers, and its names."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]

    def __str__(self) -> str:
        return self.names[0] if self.names else self.config


def list_docker_images(contents: ArchiveContents) -> list[ArchivedImage]:
    """Return the images of an archive with a ``manifest.json``, most with a generated manifest.

    Raises:
        ArchiveInvalid: It is no docker-archive, is damaged, or lacks a config or a layer.
    """
    content = contents.document(DOCKER_DOCUMENT) or b""
    entries = parse_json(DOCKER_DOCUMENT, content)
    if isinstance(entries, dict) and {"config", "manifests"} & entries.keys():
        # 'skopeo copy IMAGE dir:DIRECTORY' writes the manifest of an image under this name.
        return [ArchivedImage(contents.add_manifest(content))]
    if not isinstance(entries, list):
        raise ArchiveInvalid(
            f"{DOCKER_DOCUMENT!r} has no list of images; "
            "export them as docker-archive or OCI layout"
        )
    checker = LayerChecker()
    return [_generate_image(contents, checker, _parse_entry(entry)) for entry in entries]


def _parse_entry(entry: Any) -> _DockerImage:
    fields = entry if isinstance(entry, dict) else {}
    config = fields.get("Config")
    layers = _parse_texts(fields.get("Layers"))
    names = _parse_texts(fields.get("RepoTags") or [])
    if not isinstance(config, str) or layers is None or names is None:
        raise ArchiveInvalid(
            f"{DOCKER_DOCUMENT!r} has an image without valid Config, Layers and RepoTags; "
            "export the image again"
        )
    return _DockerImage(
        normalize_path(config), names, tuple(normalize_path(path) for path in layers)
    )


def _parse_texts(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value)


def _generate_image(
    contents: ArchiveContents, checker: LayerChecker, image: _DockerImage
) -> ArchivedImage:
    config = _find(contents, image, image.config)
    _check_config_path(image, config)
    diff_ids = read_diff_ids(image.config, read_staged(config))
    if len(diff_ids) != len(image.layers):
        raise ArchiveInvalid(
            f"{image} has {len(image.layers)} layers, but its config {image.config!r} "
            f"names {len(diff_ids)}; export the image again"
        )
    layers = []
    for path, diff_id in zip(image.layers, diff_ids, strict=True):
        layer = _find(contents, image, path)
        layers.append(_describe(checker.check(path, layer, diff_id), layer))
    manifest = _generate_manifest(_describe(DOCKER_CONFIG, config), layers)
    names = tuple(name for name in image.names if not name.endswith(_NO_TAG))
    return ArchivedImage(contents.add_manifest(manifest), names)


def _find(contents: ArchiveContents, image: _DockerImage, path: str) -> StagedFile:
    file = contents.find(path)
    if file is None:
        raise ArchiveInvalid(
            f"{DOCKER_DOCUMENT!r} names {path!r} for {image}, which is not in the archive; "
            "export the image again"
        )
    return file


def _check_config_path(image: _DockerImage, config: StagedFile) -> None:
    """Compare a config with the digest in its path; nothing else in the archive states it."""
    match = _CONFIG_PATH.fullmatch(image.config)
    if match is not None and config.digest != Digest("sha256", match[1]):
        raise ArchiveInvalid(
            f"{image.config!r} is damaged, its bytes have the digest {config.digest}; "
            "copy the archive again"
        )


def _describe(media_type: str, content: StagedFile) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(content.digest), "size": content.size}


def _generate_manifest(config: dict[str, Any], layers: Sequence[dict[str, Any]]) -> bytes:
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": config,
        "layers": layers,
    }
    return json.dumps(manifest, separators=(",", ":")).encode("ascii")
