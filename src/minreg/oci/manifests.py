"""Parsing manifests and indexes.

A digest names the bytes of a manifest, so manifests are parsed and never serialized again.
Parsing is lenient: a registry serves what it has. A malformed descriptor is left out and reported
in ``Manifest.malformed``, for the callers that must be strict.
Source: OCI image-spec, manifest.md, image-index.md and descriptor.md.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from minreg.oci.names import (
    DOCKER_SCHEMA_1,
    INDEXES,
    MANIFESTS,
    OCI_ARTIFACT,
    OCI_INDEX,
    OCI_MANIFEST,
    Digest,
    DigestInvalid,
    is_media_type,
)
from minreg.oci.platforms import UNKNOWN_OS, Platform, find_best
from minreg.text import describe_json_error

_NONDISTRIBUTABLE = re.compile(r"[.]nondistributable[.]|[.]foreign[.]")
_LARGEST_SIZE = 2**63 - 1  # bytes: sizes are int64 (descriptor.md)
_SCHEMA_1 = "it is a Docker schema 1 manifest, which no current client supports"


class ManifestInvalid(ValueError):
    """The bytes are neither a manifest nor an index that a client can use."""


@attrs.frozen
class Descriptor:
    """A reference from a manifest or an index to content.

    Attributes:
        media_type: The content's media type.
        digest: Its digest.
        size: Its size, in bytes.
        platform: The platform of an image in an index, if the index states one.
        annotations: Its annotations.
        artifact_type: Its artifact type, or empty.
        urls: Where else the content may be downloaded.
        data: The content itself in base64, or empty.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    artifact_type: str = ""
    urls: tuple[str, ...] = ()
    data: str = attrs.field(default="", repr=False)

    @property
    def inline_content(self) -> bytes | None:
        """The content that the descriptor itself has; None if it has none, or another one.

        Source: image-spec, descriptor.md, "data".
        """
        if not self.data:
            return None
        try:
            content = base64.b64decode(self.data, validate=True)
        except ValueError:
            return None
        is_own = Digest.of(content, self.digest.algorithm) == self.digest
        return content if is_own and len(content) == self.size else None

    @property
    def is_nondistributable(self) -> bool:
        """Whether it is a layer that registries need not have, such as those of Windows.

        Source: image-spec, layer.md, "Non-Distributable Layers"; Docker's image manifest
        version 2, schema 2, for ``foreign`` layers and ``urls``.
        """
        return bool(self.urls) or _NONDISTRIBUTABLE.search(self.media_type) is not None

    @property
    def is_index(self) -> bool:
        """Whether it points to an index."""
        return self.media_type in INDEXES

    @property
    def is_manifest(self) -> bool:
        """Whether it points to a manifest or an index, and not to a blob."""
        return self.is_index or self.media_type in MANIFESTS

    @property
    def is_attestation(self) -> bool:
        """Whether it is an entry of an index about another entry, and not an image (BuildKit)."""
        return self.platform is not None and self.platform.os == UNKNOWN_OS


@attrs.frozen
class Manifest:
    """A parsed manifest or index.

    Attributes:
        media_type: The media type that it states, or else the one that follows from its fields.
        is_index: Whether it is an index.
        states_media_type: Whether it states its media type.
        config: The config; None in an index and in an artifact manifest.
        layers: The layers, or the blobs of an artifact manifest; empty in an index.
        manifests: The entries of an index; empty in a manifest.
        subject: The manifest that it refers to, if any.
        artifact_type: Its artifact type, or empty.
        annotations: Its annotations.
        malformed: What is wrong with each descriptor that was left out.
    """

    media_type: str
    is_index: bool
    states_media_type: bool
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = attrs.field(factory=dict)
    malformed: tuple[str, ...] = ()

    @property
    def blobs(self) -> Iterator[Descriptor]:
        """The config and the layers."""
        if self.config is not None:
            yield self.config
        yield from self.layers

    @property
    def images(self) -> list[Descriptor]:
        """The images of an index: its entries without the attestations."""
        return [child for child in self.manifests if not child.is_attestation]

    def choose(self, platform: Platform | None) -> tuple[Descriptor, ...]:
        """Return the manifests of an index that a node pulls.

        Args:
            platform: The node's platform; None for the images of all platforms.

        Returns:
            All images, or the one that the node pulls, or none if it can run none of them.
        """
        images = self.images
        if platform is None:
            return tuple(images)
        position = find_best([child.platform for child in images], platform)
        return () if position is None else (images[position],)


def parse_manifest(content: bytes) -> Manifest:
    """Parse a manifest or an index.

    Args:
        content: The document's bytes, JSON in UTF-8 (RFC 8259, section 8.1).

    Raises:
        ManifestInvalid: It is not a JSON object, has the fields of neither or of both, is of
            Docker's schema 1, or contradicts the media type that it states.
    """
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"it is not JSON: {describe_json_error(error)}") from None
    if not isinstance(document, dict):
        raise ManifestInvalid("it is not a JSON object")
    own_media_type = document.get("mediaType")
    if isinstance(own_media_type, str) and is_media_type(own_media_type):
        media_type = own_media_type
    else:
        media_type = _media_type_by_fields(document)
    _refuse_ambiguous(document, media_type)
    malformed: list[str] = []
    is_index = isinstance(document.get("manifests"), list) or media_type in INDEXES
    return Manifest(
        media_type=media_type,
        is_index=is_index,
        states_media_type=media_type == own_media_type,
        config=_descriptor(document, "config", malformed),
        layers=_descriptors(
            document, "blobs" if media_type == OCI_ARTIFACT else "layers", malformed
        ),
        manifests=_descriptors(document, "manifests", malformed),
        subject=_descriptor(document, "subject", malformed),
        artifact_type=_text(document.get("artifactType")),
        annotations=_annotations(document),
        malformed=tuple(malformed),
    )


def looks_like_manifest(content: bytes) -> bool:
    """Return whether a blob's bytes are in fact a manifest or an index.

    This is stricter than ``parse_manifest``, so that a config or a layer is never mistaken for
    a manifest.
    """
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid:
        return False
    if manifest.media_type not in INDEXES | MANIFESTS:
        return False
    return manifest.states_media_type or bool(
        manifest.manifests or (manifest.config and manifest.layers)
    )


def _media_type_by_fields(document: Mapping[str, Any]) -> str:
    if "fsLayers" in document:
        raise ManifestInvalid(_SCHEMA_1)
    if isinstance(document.get("manifests"), list):
        return OCI_INDEX
    if isinstance(document.get("config"), dict) and isinstance(document.get("layers"), list):
        return OCI_MANIFEST
    raise ManifestInvalid(
        "it has no mediaType, no manifests, and no config with layers, "
        "so it is neither a manifest nor an index"
    )


def _refuse_ambiguous(document: Mapping[str, Any], media_type: str) -> None:
    """Refuse a document that clients could interpret differently (CVE-2021-41190)."""
    if "fsLayers" in document or media_type in DOCKER_SCHEMA_1:
        raise ManifestInvalid(_SCHEMA_1)
    index_like = "manifests" in document
    manifest_like = "config" in document or "layers" in document
    if index_like and manifest_like:
        raise ManifestInvalid("it has the fields of an index and of a manifest")
    if index_like and media_type in MANIFESTS:
        raise ManifestInvalid("it has the fields of an index and the media type of a manifest")
    if manifest_like and media_type == OCI_ARTIFACT:
        raise ManifestInvalid("it has the fields of an image and the media type of an artifact")
    if manifest_like and media_type in INDEXES:
        raise ManifestInvalid("it has the fields of a manifest and the media type of an index")


def _descriptors(
    document: Mapping[str, Any], key: str, malformed: list[str]
) -> tuple[Descriptor, ...]:
    listed = document.get(key)
    if not isinstance(listed, list):
        return ()
    parsed = (_parse_descriptor(item, f"{key}[{at}]", malformed) for at, item in enumerate(listed))
    return tuple(descriptor for descriptor in parsed if descriptor is not None)


def _descriptor(document: Mapping[str, Any], key: str, malformed: list[str]) -> Descriptor | None:
    if document.get(key) is None:
        return None
    return _parse_descriptor(document[key], key, malformed)


def _parse_descriptor(item: Any, where: str, malformed: list[str]) -> Descriptor | None:
    if not isinstance(item, dict):
        malformed.append(f"{where} is not an object")
        return None
    size = item.get("size")
    media_type = item.get("mediaType")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST_SIZE:
        malformed.append(f"{where} has no size")
        return None
    if not isinstance(media_type, str) or not is_media_type(media_type):
        malformed.append(f"{where} has no media type")
        return None
    try:
        digest = Digest.parse(_text(item.get("digest")))
    except DigestInvalid as error:
        malformed.append(f"{where}: {error}")
        return None
    return Descriptor(
        media_type,
        digest,
        size,
        _platform(item.get("platform")),
        _annotations(item),
        _text(item.get("artifactType")),
        _urls(item.get("urls")),
        _text(item.get("data")),
    )


def _platform(item: Any) -> Platform | None:
    if not isinstance(item, dict):
        return None
    platform = Platform(*(_text(item.get(key)) for key in ("os", "architecture", "variant")))
    return platform if platform.os and platform.architecture else None


def _annotations(item: Mapping[str, Any]) -> Mapping[str, str]:
    annotations = item.get("annotations")
    if not isinstance(annotations, dict):
        return {}
    return {key: value for key, value in annotations.items() if isinstance(value, str)}


def _urls(value: Any) -> tuple[str, ...]:
    return tuple(url for url in value if isinstance(url, str)) if isinstance(value, list) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
