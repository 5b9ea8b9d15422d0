"""The directory of a repository, and its index: what its manifests say about each other.

Some requests cannot be answered from a single file: which size a blob should have, which media
type an index gives to a manifest that does not state its own, which manifests refer to a
subject. The index answers them. It is built by reading every manifest of the repository, and
cached until one of them changes.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

import attrs

from minreg.oci.manifests import Descriptor
from minreg.oci.names import OCI_INDEX, Digest, DigestInvalid, is_tag
from minreg.oci.platforms import Platform
from minreg.store.cache import (
    Fingerprint,
    LeastRecentlyUsedCache,
    ManifestCache,
    ParsedManifest,
    fingerprint,
    is_settled,
)
from minreg.store.interfaces import ContentInvalid
from minreg.store.rooted import OpenedFile, RootedDirectory, is_file

METADATA = ".metadata"
"""The directory of a repository with the manifests of platforms whose layers are not stored. This
is no valid name of a repository or tag."""


@attrs.frozen
class RepositoryDirectory:
    """The directory of one repository.

    All paths are relative to it: ``manifests/<tag or digest>``, ``blobs/<digest>`` or
    ``.metadata/<digest>``.

    Attributes:
        name: Its path below the root of the tree.
    """

    name: str
    _files: RootedDirectory
    _manifests: ManifestCache

    def open(self, path: str) -> OpenedFile:
        """Open a file; raises as ``RootedDirectory.open_file`` does."""
        return self._files.open_file(f"{self.name}/{path}")

    def open_manifest_in_blobs(self, digest: Digest) -> OpenedFile | None:
        """Open a manifest that was stored in ``blobs``; None if that file is not a manifest.

        K3s' air-gap script stores manifests without a ``mediaType`` there.
        """
        try:
            opened = self.open(f"blobs/{digest}")
        except FileNotFoundError:
            return None
        with opened.closed_on_failure():
            if self.is_manifest(opened):
                return opened
        opened.file.close()
        return None

    def read(self, opened: OpenedFile, digest: Digest | None) -> ParsedManifest:
        """See ``ManifestCache.read``."""
        return self._manifests.read(opened, digest)

    def is_manifest(self, opened: OpenedFile) -> bool:
        """See ``ManifestCache.is_manifest``."""
        return self._manifests.is_manifest(opened)

    def read_if_valid(self, path: str) -> ParsedManifest | None:
        """Read a manifest; None if it does not exist or is invalid.

        The reason is reported to a client that requests this manifest.
        """
        with suppress(FileNotFoundError, ContentInvalid):
            digest = digest_in_name(path)
            if digest is not None and path.startswith("blobs/"):
                opened = self.open_manifest_in_blobs(digest)
            else:
                opened = self.open(path)
            if opened is not None:
                with opened.file:
                    return self.read(opened, digest)
        return None

    def exists(self, path: str) -> bool:
        """Return whether a path exists. A symbolic link without a target does."""
        return self._files.exists(f"{self.name}/{path}")

    def stat(self, path: str) -> os.stat_result | None:
        """Return the status of a path, links followed; None if it does not exist."""
        return self._files.stat(f"{self.name}/{path}")

    def measure_blob(self, digest: Digest) -> int | None:
        """Return the size of a blob's file, in bytes; None if it does not exist.

        Raises:
            ContentInvalid: It must not, or cannot, be read.
        """
        try:
            return self._files.measure(f"{self.name}/blobs/{digest}")
        except FileNotFoundError:
            return None

    def status(self) -> os.stat_result:
        """Return the status of ``manifests``, which changes when a file is added or removed."""
        return self._files.checked_stat(f"{self.name}/manifests")

    def scan(self) -> AbstractContextManager[tuple[os.stat_result, Iterator[os.DirEntry[str]]]]:
        """Read the entries of ``manifests``; see ``RootedDirectory.scan``."""
        return self._files.scan(f"{self.name}/manifests")

    def digest_linked_by(self, tag: str) -> Digest | None:
        """Return the digest that a tag's link points to; None if the tag is not a link."""
        return digest_in_name(self._files.read_link(f"{self.name}/manifests/{tag}") or "")

    def is_tag(self, entry: os.DirEntry[str]) -> bool:
        """Return whether an entry of ``manifests`` is a tag, and its manifest exists."""
        if not is_tag(entry.name):
            return False
        if is_file(entry):
            return True
        digest = self.digest_linked_by(entry.name)
        return digest is not None and self.exists(f"blobs/{digest}")


def blob_path(root: str, name: str, digest: Digest) -> str:
    """Return the path of the file of a repository's blob."""
    return os.path.join(root, name, "blobs", str(digest))


def digest_in_name(path: str) -> Digest | None:
    """Return the digest that a file is named after; None if its name is not a digest."""
    try:
        return Digest.parse(os.path.basename(path))
    except DigestInvalid:
        return None


@attrs.frozen
class RepositoryIndex:
    """What the manifests of a repository say.

    Attributes:
        blob_sizes: Every size, in bytes, that a manifest states for a blob.
        media_types: The media types that indexes state for manifests.
        platforms: The platforms that indexes state for manifests.
        paths: The path of each manifest that exists, relative to the repository.
        referrers: The manifests that have a subject, by that subject.
        referrers_indexes: The subject of each list of referrers, by the digest of the list.
    """

    blob_sizes: Mapping[Digest, frozenset[int]]
    media_types: Mapping[Digest, str]
    platforms: Mapping[Digest, Platform]
    paths: Mapping[Digest, str]
    referrers: Mapping[Digest, tuple[Descriptor, ...]]
    referrers_indexes: Mapping[Digest, Digest]

    @property
    def weight(self) -> int:
        """The number of entries, which is what caching the index costs."""
        return 1 + sum(map(len, attrs.astuple(self, recurse=False)))


def build_index(manifests: Iterable[tuple[str, ParsedManifest]]) -> RepositoryIndex:
    """Build the index of a repository.

    Args:
        manifests: Each manifest with its path, in a stable order.
    """
    blob_sizes: dict[Digest, frozenset[int]] = {}
    media_types: dict[Digest, str] = {}
    platforms: dict[Digest, Platform] = {}
    paths: dict[Digest, str] = {}
    referrers: dict[Digest, dict[Digest, Descriptor]] = {}
    for path, parsed in manifests:
        paths[parsed.digest] = path
        manifest = parsed.manifest
        for blob in manifest.blobs:
            blob_sizes[blob.digest] = blob_sizes.get(blob.digest, frozenset()) | {blob.size}
        for child in manifest.manifests:
            media_types[child.digest] = child.media_type
            if child.platform is not None:
                platforms[child.digest] = child.platform
        if manifest.subject is not None:
            by_digest = referrers.setdefault(manifest.subject.digest, {})
            by_digest[parsed.digest] = describe(parsed)
    ordered = {subject: _in_order(by_digest) for subject, by_digest in referrers.items()}
    indexes = {Digest.of(referrers_index(listed)): subject for subject, listed in ordered.items()}
    return RepositoryIndex(blob_sizes, media_types, platforms, paths, ordered, indexes)


def describe(parsed: ParsedManifest) -> Descriptor:
    """Return a manifest's descriptor in a list of referrers.

    Source: distribution-spec, "Listing Referrers".
    """
    manifest = parsed.manifest
    artifact_type = manifest.artifact_type
    if not artifact_type and manifest.config is not None:
        artifact_type = manifest.config.media_type
    return Descriptor(
        manifest.media_type,
        parsed.digest,
        parsed.size,
        annotations=manifest.annotations,
        artifact_type=artifact_type,
    )


def referrers_index(referrers: Iterable[Descriptor]) -> bytes:
    """Return the image index that lists referrers, as JSON. Equal lists give equal bytes."""
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [_as_json(referrer) for referrer in referrers],
    }
    return json.dumps(index, separators=(",", ":")).encode("ascii")


def fallback_tag(digest: Digest) -> str:
    """Return the tag of a subject's list of referrers.

    Source: distribution-spec, "Referrers Tag Schema".
    """
    return f"{digest.algorithm[:32]}-{digest.encoded[:64]}"


def subject_of_fallback_tag(tag: str, subjects: Iterable[Digest]) -> Digest | None:
    """Return the subject whose fallback tag this is; None if it is of none of them."""
    return next((subject for subject in subjects if fallback_tag(subject) == tag), None)


def _in_order(by_digest: Mapping[Digest, Descriptor]) -> tuple[Descriptor, ...]:
    return tuple(by_digest[digest] for digest in sorted(by_digest))


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


_CAPACITY = 100_000


@attrs.frozen
class IndexSnapshot:
    """A repository's index with what it depends on.

    Attributes:
        index: The index.
        status: The status of ``manifests`` before it was read.
        fingerprints: The fingerprints of the files that can change while the status of
            ``manifests`` stays the same, None for a file that does not exist. None instead of a
            mapping if a file changed too recently for its fingerprint to be trusted.
    """

    index: RepositoryIndex
    status: os.stat_result
    fingerprints: Mapping[str, Fingerprint | None] | None


class RepositoryIndexCache:
    """Builds the indexes of repositories, and caches them until a manifest changes.

    Args:
        capacity: The total weight (``RepositoryIndex.weight``) of the indexes that are cached.
        now: Returns the time, in nanoseconds since the epoch.
    """

    def __init__(self, capacity: int = _CAPACITY, now: Callable[[], int] = time.time_ns) -> None:
        self._capacity = capacity
        self._snapshots: LeastRecentlyUsedCache[tuple[object, ...], IndexSnapshot] = (
            LeastRecentlyUsedCache(capacity)
        )
        self._now = now

    def get(self, directory: RepositoryDirectory) -> IndexSnapshot:
        """Return the current index of a repository.

        Raises:
            FileNotFoundError: There is no such repository.
            ContentInvalid: Its directory must not, or cannot, be read.
            StoreUnavailable: The disk returns an error.
        """
        snapshot = self._snapshots.get((directory.name, *fingerprint(directory.status())))
        if snapshot is not None and _is_current(directory, snapshot.fingerprints or {}):
            return snapshot
        return self._build(directory)

    def _build(self, directory: RepositoryDirectory) -> IndexSnapshot:
        now = self._now()
        with directory.scan() as (status, entries):
            is_link = {entry.name: entry.is_symlink() for entry in entries}
        manifests: dict[str, ParsedManifest] = {}
        statuses: dict[str, os.stat_result | None] = {}
        for path in _manifest_paths(directory, is_link):
            status_before = directory.stat(path)
            parsed = directory.read_if_valid(path)
            if parsed is not None:
                manifests[path] = parsed
            if parsed is None or not _is_immutable(path, is_link):
                statuses[path] = status_before
        manifests.update(_read_children_in_blobs(directory, manifests))
        index = build_index(manifests.items())
        if not all(each is None or is_settled(each, now) for each in (status, *statuses.values())):
            return IndexSnapshot(index, status, fingerprints=None)
        fingerprints = {path: each and fingerprint(each) for path, each in statuses.items()}
        snapshot = IndexSnapshot(index, status, fingerprints)
        key = (directory.name, *fingerprint(status))
        # An index that exceeds the capacity is cached alone: without it, every request would
        # read the whole repository.
        weight = min(index.weight + len(statuses), self._capacity)
        self._snapshots.put(key, snapshot, weight)
        return snapshot


def _is_immutable(path: str, is_link: Mapping[str, bool]) -> bool:
    """Return whether a valid manifest can only change together with its directory.

    A file that is named after its digest is replaced, and never changed. A tag's file may be
    overwritten in place, and the target of a link may change anywhere.
    """
    name = os.path.basename(path)
    return digest_in_name(name) is not None and not is_link.get(name, True)


def _is_current(
    directory: RepositoryDirectory, fingerprints: Mapping[str, Fingerprint | None]
) -> bool:
    for path, expected in fingerprints.items():
        status = directory.stat(path)
        if expected != (status and fingerprint(status)):
            return False
    return True


def _manifest_paths(directory: RepositoryDirectory, is_link: Mapping[str, bool]) -> Iterator[str]:
    """Yield the path of each manifest once, in a stable order.

    Args:
        directory: The repository.
        is_link: The names in its ``manifests``, and whether each is a link.
    """
    for name in sorted(is_link):
        if digest_in_name(name) is not None:
            yield f"manifests/{name}"
        elif is_tag(name):
            linked = directory.digest_linked_by(name) if is_link[name] else None
            if linked is None or str(linked) not in is_link:
                yield f"manifests/{name}"
            if linked is not None and str(linked) not in is_link:
                yield f"blobs/{linked}"


def _read_children_in_blobs(
    directory: RepositoryDirectory, manifests: Mapping[str, ParsedManifest]
) -> dict[str, ParsedManifest]:
    """Read the manifests that indexes list and that are stored in ``blobs``."""
    digests = {parsed.digest for parsed in manifests.values()}
    listed = {child.digest for parsed in manifests.values() for child in parsed.manifest.manifests}
    paths = (f"blobs/{digest}" for digest in sorted(listed - digests))
    # Most children of an index are in ``manifests`` or missing, so check first, which is cheap.
    parsed_by_path = (
        (path, directory.read_if_valid(path)) for path in paths if directory.exists(path)
    )
    return {path: parsed for path, parsed in parsed_by_path if parsed is not None}
