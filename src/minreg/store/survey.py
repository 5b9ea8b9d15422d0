"""What the manifests of one repository say about each other and about its blobs."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from minreg.manifests import Descriptor, Platform
from minreg.media_types import OCI_INDEX
from minreg.names import Digest
from minreg.store.documents import Document


@attrs.frozen
class Survey:
    """What is known of a repository once all of its manifests were read.

    ``blob_sizes`` holds every size, in bytes, that a manifest states for a blob;
    ``media_types`` and ``platforms`` what indexes state of manifests; ``places`` where
    each manifest that is there lies; ``referrers`` who names a subject, and
    ``referrers_indexes`` the subject of each list of referrers, by that list's digest.
    """

    blob_sizes: Mapping[Digest, frozenset[int]]
    media_types: Mapping[Digest, str]
    platforms: Mapping[Digest, Platform]
    places: Mapping[Digest, str]
    referrers: Mapping[Digest, tuple[Descriptor, ...]]
    referrers_indexes: Mapping[Digest, Digest]

    @property
    def facts(self) -> int:
        """How much it is to remember."""
        return 1 + sum(map(len, attrs.astuple(self, recurse=False)))


def make_survey(documents: Iterable[tuple[str, Document]]) -> Survey:
    """Put together what the manifests of a repository say.

    Args:
        documents: Each manifest with the place that it was read from, in a stable order.
    """
    blob_sizes: dict[Digest, frozenset[int]] = {}
    media_types: dict[Digest, str] = {}
    platforms: dict[Digest, Platform] = {}
    places: dict[Digest, str] = {}
    referrers: dict[Digest, dict[Digest, Descriptor]] = {}
    for place, document in documents:
        places[document.digest] = place
        manifest = document.manifest
        for blob in manifest.blobs:
            blob_sizes[blob.digest] = blob_sizes.get(blob.digest, frozenset()) | {blob.size}
        for child in manifest.manifests:
            media_types[child.digest] = child.media_type
            if child.platform is not None:
                platforms[child.digest] = child.platform
        if manifest.subject is not None:
            known = referrers.setdefault(manifest.subject.digest, {})
            known[document.digest] = describe(document)
    ordered = {subject: _in_order(known) for subject, known in referrers.items()}
    indexes = {Digest.of(referrers_index(known)): subject for subject, known in ordered.items()}
    return Survey(blob_sizes, media_types, platforms, places, ordered, indexes)


def describe(document: Document) -> Descriptor:
    """Describe a manifest as a list of referrers does (distribution-spec, "Listing Referrers")."""
    manifest = document.manifest
    artifact_type = manifest.artifact_type
    if not artifact_type and manifest.config is not None:
        artifact_type = manifest.config.media_type
    return Descriptor(
        manifest.media_type,
        document.digest,
        document.size,
        annotations=manifest.annotations,
        artifact_type=artifact_type,
    )


def referrers_index(referrers: Iterable[Descriptor]) -> bytes:
    """Write the index that lists referrers; equal lists give equal bytes."""
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [_as_json(referrer) for referrer in referrers],
    }
    return json.dumps(index, separators=(",", ":")).encode("ascii")


def fallback_tag(digest: Digest) -> str:
    """Name the tag that stands for a list of referrers ("Referrers Tag Schema")."""
    return f"{digest.algorithm[:32]}-{digest.encoded[:64]}"


def subject_of_fallback_tag(tag: str, subjects: Iterable[Digest]) -> Digest | None:
    """Find the subject whose list of referrers a tag stands for."""
    return next((subject for subject in subjects if fallback_tag(subject) == tag), None)


def _in_order(known: Mapping[Digest, Descriptor]) -> tuple[Descriptor, ...]:
    return tuple(known[digest] for digest in sorted(known))


def _as_json(descriptor: Descriptor) -> dict[str, Any]:
    document: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if descriptor.artifact_type:
        document["artifactType"] = descriptor.artifact_type
    if descriptor.annotations:
        document["annotations"] = dict(descriptor.annotations)
    return document
