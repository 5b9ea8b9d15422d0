"""What the manifests of one repository say about each other and about its blobs."""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from minreg.oci.manifests import Descriptor, Platform
from minreg.oci.names import OCI_INDEX, Digest, is_tag
from minreg.store.cache import Fingerprint, LeastRecentlyUsedCache, fingerprint, is_settled
from minreg.store.directory import ParsedManifest, RepositoryDirectory, digest_in_name


@attrs.frozen
class RepositoryIndex:
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


def build_index(documents: Iterable[tuple[str, ParsedManifest]]) -> RepositoryIndex:
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
    return RepositoryIndex(blob_sizes, media_types, platforms, places, ordered, indexes)


def describe(document: ParsedManifest) -> Descriptor:
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


_REMEMBERED = 100_000


@attrs.frozen
class IndexSnapshot:
    """A survey, the directory's status, and the files that may change without changing it.

    ``watched`` is None if something changed too recently for the survey to be kept.
    """

    survey: RepositoryIndex
    status: os.stat_result
    watched: Mapping[str, Fingerprint | None] | None


class RepositoryIndexCache:
    """Reads all manifests of a repository. What they say it knows until one changes.

    Args:
        remembered: Facts (see ``RepositoryIndex.facts``) that are kept of all repositories.
        now: Tells the time, in nanoseconds since the epoch.
    """

    def __init__(
        self, remembered: int = _REMEMBERED, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._remembered = remembered
        self._known: LeastRecentlyUsedCache[tuple[object, ...], IndexSnapshot] = (
            LeastRecentlyUsedCache(remembered)
        )
        self._now = now

    def survey(self, directory: RepositoryDirectory) -> RepositoryIndex:
        """Tell what the manifests of a repository say; raises as ``look`` does."""
        return self.look(directory).survey

    def look(self, directory: RepositoryDirectory) -> IndexSnapshot:
        """Tell what the manifests of a repository say, and how long that holds.

        Raises:
            FileNotFoundError: There is no such repository.
            ContentBroken: Its directory must not, or cannot, be read.
            StoreUnavailable: The disk does not answer.
        """
        taken = self._known.get((directory.name, *fingerprint(directory.status())))
        if taken is not None and _is_current(directory, taken.watched or {}):
            return taken
        return self._take(directory)

    def _take(self, directory: RepositoryDirectory) -> IndexSnapshot:
        now = self._now()
        with directory.scan() as (status, entries):
            is_link = {entry.name: entry.is_symlink() for entry in entries}
        documents: dict[str, ParsedManifest] = {}
        seen: dict[str, os.stat_result | None] = {}
        for place in _places(directory, is_link):
            looked = directory.look(place)
            document = directory.read_if_sound(place)
            if document is not None:
                documents[place] = document
            if document is None or not _is_lasting(place, is_link):
                seen[place] = looked
        documents.update(_misfiled_children(directory, documents))
        survey = build_index(documents.items())
        if not all(found is None or is_settled(found, now) for found in (status, *seen.values())):
            return IndexSnapshot(survey, status, watched=None)
        watched = {place: found and fingerprint(found) for place, found in seen.items()}
        taken = IndexSnapshot(survey, status, watched)
        key = (directory.name, *fingerprint(status))
        # One that is larger than all that may be kept is kept alone: without it, every
        # request would read the whole repository.
        self._known.put(key, taken, min(survey.facts + len(seen), self._remembered))
        return taken


def _is_lasting(place: str, is_link: Mapping[str, bool]) -> bool:
    """Tell whether sound content stays what it is until its directory changes.

    A file that is named after its digest does; a tag's file may be overwritten in place,
    and what a link leads to may change anywhere.
    """
    name = os.path.basename(place)
    return digest_in_name(name) is not None and not is_link.get(name, True)


def _is_current(directory: RepositoryDirectory, watched: Mapping[str, Fingerprint | None]) -> bool:
    for place, known in watched.items():
        found = directory.look(place)
        if known != (found and fingerprint(found)):
            return False
    return True


def _places(directory: RepositoryDirectory, names: Mapping[str, bool]) -> Iterator[str]:
    """Name the places of all manifests, in a stable order, and no linked neighbour twice."""
    for name in sorted(names):
        if digest_in_name(name) is not None:
            yield f"manifests/{name}"
        elif is_tag(name):
            linked = directory.digest_linked_by(name) if names[name] else None
            if linked is None or str(linked) not in names:
                yield f"manifests/{name}"
            if linked is not None and str(linked) not in names:
                yield f"blobs/{linked}"


def _misfiled_children(
    directory: RepositoryDirectory, documents: Mapping[str, ParsedManifest]
) -> dict[str, ParsedManifest]:
    """Read what indexes list and the script put among the blobs."""
    known = {document.digest for document in documents.values()}
    listed = {
        child.digest for document in documents.values() for child in document.manifest.manifests
    }
    places = (f"blobs/{digest}" for digest in sorted(listed - known))
    # Most children of an index are there as manifests or not at all: to look costs least.
    read = ((place, directory.read_if_sound(place)) for place in places if directory.exists(place))
    return {place: document for place, document in read if document is not None}
