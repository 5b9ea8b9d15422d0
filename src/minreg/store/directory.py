"""Manifest files: read once, checked against their digest, and remembered."""

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
"""Bytes. Clients refuse manifests of more than some 4 MiB; nothing real comes near."""

_LARGEST_LOOK = 4 * 1024 * 1024
_REMEMBERED = 8 * 1024 * 1024
_LOOKS_REMEMBERED = 4096


@attrs.frozen
class ParsedManifest:
    """A manifest or index as it lies on the disk: its true digest, size, and meaning."""

    digest: Digest
    size: int
    manifest: Manifest


class ManifestCache:
    """Reads manifest files. What it read of a file it knows until the file changes.

    Args:
        remembered: Bytes of manifests whose meaning is kept.
        now: Tells the time, in nanoseconds since the epoch.
    """

    def __init__(
        self, remembered: int = _REMEMBERED, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._documents: LeastRecentlyUsedCache[tuple[object, ...], ParsedManifest] = (
            LeastRecentlyUsedCache(remembered)
        )
        self._looks: LeastRecentlyUsedCache[Fingerprint, bool] = LeastRecentlyUsedCache(
            _LOOKS_REMEMBERED
        )
        self._now = now

    def read(self, opened: OpenedFile, digest: Digest | None) -> ParsedManifest:
        """Read a manifest, and make sure that it is what its name says.

        Args:
            opened: The file; it is left at its beginning.
            digest: The digest that its name states, if it states one.

        Raises:
            ContentBroken: It is no manifest, or not the one that its name states.
            StoreUnavailable: The disk does not answer.
        """
        algorithm = digest.algorithm if digest is not None else "sha256"
        key = (*fingerprint(opened.status), algorithm)
        document = self._documents.get(key)
        if document is None:
            settled = is_settled(opened.status, self._now())
            document = _read_document(opened, algorithm)
            if settled:
                self._documents.put(key, document, document.size)
        if digest is not None and document.digest != digest:
            raise ContentInvalid(
                f"{opened.path} does not hold what its name says, but {document.digest}: "
                "copy it again"
            )
        return document

    def is_manifest(self, opened: OpenedFile) -> bool:
        """Tell whether a file among the blobs is really a manifest; it is left at its beginning.

        Raises:
            StoreUnavailable: The disk does not answer.
        """
        if opened.status.st_size > _LARGEST_LOOK:
            return False
        key = fingerprint(opened.status)
        known = self._looks.get(key)
        if known is None:
            settled = is_settled(opened.status, self._now())
            known = _looks_like_object(opened) and looks_like_manifest(_read(opened))
            if settled:
                self._looks.put(key, known)
        return known


def _read_document(opened: OpenedFile, algorithm: str) -> ParsedManifest:
    if opened.status.st_size > LARGEST_MANIFEST:
        raise ContentInvalid(f"{opened.path} is too large to be a manifest: remove it")
    content = _read(opened)
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid as error:
        raise ContentInvalid(f"{opened.path} is not a manifest: {error}; remove it") from None
    return ParsedManifest(Digest.of(content, algorithm), len(content), manifest)


def _looks_like_object(opened: OpenedFile) -> bool:
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
    """Opens and reads what lies in one repository.

    A place is a path in it: ``manifests/<tag or digest>`` or ``blobs/<digest>``.
    """

    name: str
    _files: RootedDirectory
    _documents: ManifestCache

    def open(self, place: str) -> OpenedFile:
        """Open a file; raises as ``RootedDirectory.open_file`` does."""
        return self._files.open_file(f"{self.name}/{place}")

    def open_misfiled(self, digest: Digest) -> OpenedFile | None:
        """Open a manifest that lies among the blobs.

        Trees made by the script keep those without a mediaType there.
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
        return self._documents.read(opened, digest)

    def is_manifest(self, opened: OpenedFile) -> bool:
        """See ``ManifestCache.is_manifest``."""
        return self._documents.is_manifest(opened)

    def read_if_sound(self, place: str) -> ParsedManifest | None:
        """Read a manifest; what cannot be served is for the request that asks for it."""
        with suppress(FileNotFoundError, ContentInvalid):
            digest = digest_in_name(place)
            if digest is not None and place.startswith("blobs/"):
                opened = self.open_misfiled(digest)
            else:
                opened = self.open(place)
            if opened is not None:
                with opened.file:
                    return self.read(opened, digest)
        return None

    def exists(self, place: str) -> bool:
        """Tell whether there is anything at a place, be it a lost link."""
        return self._files.exists(f"{self.name}/{place}")

    def look(self, place: str) -> os.stat_result | None:
        """Look at what lies at a place, links followed; None if nothing does."""
        return self._files.look(f"{self.name}/{place}")

    def blob_size(self, digest: Digest) -> int | None:
        """Tell how many bytes lie there for a blob; None if nothing does.

        Raises:
            ContentBroken: What lies there must not, or cannot, be read.
        """
        try:
            return self._files.measure(f"{self.name}/blobs/{digest}")
        except FileNotFoundError:
            return None

    def status(self) -> os.stat_result:
        """Look at ``manifests``, which changes with the set of files in it."""
        return self._files.status(f"{self.name}/manifests")

    def scan(self) -> AbstractContextManager[tuple[os.stat_result, Iterator[os.DirEntry[str]]]]:
        """Read the entries of ``manifests``; see ``RootedDirectory.scan``."""
        return self._files.scan(f"{self.name}/manifests")

    def digest_linked_by(self, tag: str) -> Digest | None:
        """Read the digest that a tag's link points to."""
        return digest_in_name(self._files.read_link(f"{self.name}/manifests/{tag}") or "")

    def is_tag(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether an entry of ``manifests`` is a tag that leads to content."""
        if not is_tag(entry.name):
            return False
        if is_file(entry):
            return True
        digest = self.digest_linked_by(entry.name)
        return digest is not None and self.exists(f"blobs/{digest}")


def blob_path(root: str, name: str, digest: Digest) -> str:
    """Name the file where a blob of a repository is looked for."""
    return os.path.join(root, name, "blobs", str(digest))


def digest_in_name(path: str) -> Digest | None:
    """Read the digest that a file is named after, if it is."""
    try:
        return Digest.parse(os.path.basename(path))
    except DigestInvalid:
        return None
