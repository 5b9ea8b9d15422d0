"""The files of one repository: opening them, and reading and parsing manifests with a cache."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress

import attrs

from minreg.oci.manifests import Manifest, ManifestInvalid, looks_like_manifest, parse_manifest
from minreg.oci.names import Digest, DigestInvalid, is_tag
from minreg.store.cache import Fingerprint, LeastRecentlyUsedCache, fingerprint, is_settled
from minreg.store.interfaces import ContentInvalid, StoreUnavailable
from minreg.store.rooted import OpenedFile, RootedDirectory, is_file

LARGEST_MANIFEST = 8 * 1024 * 1024
"""Bytes of a manifest that are read. Clients refuse manifests of more than about 4 MiB."""

METADATA = ".metadata"
"""The directory of a repository with the manifests of platforms whose layers are not stored. This
is no valid name of a repository or tag."""

_LARGEST_MANIFEST_IN_BLOBS = 4 * 1024 * 1024
_CACHED_BYTES = 8 * 1024 * 1024
_CACHED_BLOB_CHECKS = 4096


@attrs.frozen
class ParsedManifest:
    """A manifest or index as it was read from a file.

    Attributes:
        digest: The digest of the file's bytes.
        size: Their number.
        manifest: What they say.
    """

    digest: Digest
    size: int
    manifest: Manifest


class ManifestCache:
    """Reads manifest files, and caches the parsed manifests until the files change.

    Args:
        capacity: The total size of the manifests that are cached, in bytes.
        now: Returns the time, in nanoseconds since the epoch.
    """

    def __init__(
        self, capacity: int = _CACHED_BYTES, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._manifests: LeastRecentlyUsedCache[tuple[object, ...], ParsedManifest] = (
            LeastRecentlyUsedCache(capacity)
        )
        self._blob_checks: LeastRecentlyUsedCache[Fingerprint, bool] = LeastRecentlyUsedCache(
            _CACHED_BLOB_CHECKS
        )
        self._now = now

    def read(self, opened: OpenedFile, digest: Digest | None) -> ParsedManifest:
        """Read a manifest, and check its digest.

        Args:
            opened: The file. Its position is at the beginning, before and after.
            digest: The digest that the file is named after, if it is.

        Raises:
            ContentInvalid: It is not a manifest, or its digest is another one.
            StoreUnavailable: The disk returns an error.
        """
        algorithm = digest.algorithm if digest is not None else "sha256"
        key = (*fingerprint(opened.status), algorithm)
        parsed = self._manifests.get(key)
        if parsed is None:
            settled = is_settled(opened.status, self._now())
            parsed = _read_manifest(opened, algorithm)
            if settled:
                self._manifests.put(key, parsed, parsed.size)
        if digest is not None and parsed.digest != digest:
            raise ContentInvalid(
                f"{opened.path} does not hold what its name says, but {parsed.digest}: "
                "copy it again"
            )
        return parsed

    def is_manifest(self, opened: OpenedFile) -> bool:
        """Return whether a file in ``blobs`` is in fact a manifest.

        Args:
            opened: The file. Its position is at the beginning, before and after.

        Raises:
            StoreUnavailable: The disk returns an error.
        """
        if opened.status.st_size > _LARGEST_MANIFEST_IN_BLOBS:
            return False
        key = fingerprint(opened.status)
        result = self._blob_checks.get(key)
        if result is None:
            settled = is_settled(opened.status, self._now())
            result = _starts_like_object(opened) and looks_like_manifest(_read(opened))
            if settled:
                self._blob_checks.put(key, result)
        return result


def _read_manifest(opened: OpenedFile, algorithm: str) -> ParsedManifest:
    if opened.status.st_size > LARGEST_MANIFEST:
        raise ContentInvalid(f"{opened.path} is too large to be a manifest: remove it")
    content = _read(opened)
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid as error:
        raise ContentInvalid(f"{opened.path} is not a manifest: {error}; remove it") from None
    return ParsedManifest(Digest.of(content, algorithm), len(content), manifest)


def _starts_like_object(opened: OpenedFile) -> bool:
    return _read(opened, 64).lstrip().startswith(b"{")


def _read(opened: OpenedFile, size: int = -1) -> bytes:
    try:
        content = opened.file.read(size)
        opened.file.seek(0)
    except OSError as error:
        raise StoreUnavailable(f"{opened.path}: {error.strerror}") from None
    return content


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
