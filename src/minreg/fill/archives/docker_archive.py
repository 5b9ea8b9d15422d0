"""What ``docker save`` writes: images without manifests, for which one is made here.

The manifest is the one that containerd makes of the same archive, byte for byte, so that
its digest is the same wherever and however often the archive is imported.
Source: moby, image/tarexport; containerd, core/images/archive.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import attrs

from minreg.fill.archives.contents import DOCKER_DOCUMENT, Contents, Spooled, read_spooled
from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.images import ArchivedImage, parse_json, read_diff_ids
from minreg.fill.archives.layers import Layers
from minreg.fill.archives.paths import clean_path
from minreg.media_types import DOCKER_CONFIG, DOCKER_MANIFEST
from minreg.names import Digest

_CONFIG_PATH = re.compile(r"(?:sha256:)?([0-9a-f]{64})(?:\.json)?")


@attrs.frozen
class _Entry:
    """An image in ``manifest.json``: paths of members, and names."""

    config: str
    names: tuple[str, ...]
    layers: tuple[str, ...]

    def __str__(self) -> str:
        return self.names[0] if self.names else self.config


def list_docker_images(contents: Contents) -> list[ArchivedImage]:
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


def _make_image(contents: Contents, known: Layers, entry: _Entry) -> ArchivedImage:
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


def _find(contents: Contents, entry: _Entry, path: str) -> Spooled:
    spooled = contents.find(path)
    if spooled is None:
        raise ArchiveInvalid(
            f"{DOCKER_DOCUMENT!r} names {path!r} for {entry}, which is not in the archive: "
            "export the image anew"
        )
    return spooled


def _check_config_path(entry: _Entry, config: Spooled) -> None:
    """Compare a config with the digest that it is called by, the only one there is of it."""
    match = _CONFIG_PATH.fullmatch(entry.config)
    if match is not None and config.digest != Digest("sha256", match[1]):
        raise ArchiveInvalid(
            f"{entry.config!r} is damaged, it is really {config.digest}: copy the archive again"
        )


def _describe(media_type: str, content: Spooled) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(content.digest), "size": content.size}


def _make_manifest(config: dict[str, Any], layers: Sequence[dict[str, Any]]) -> bytes:
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": config,
        "layers": layers,
    }
    return json.dumps(manifest, separators=(",", ":")).encode("ascii")
