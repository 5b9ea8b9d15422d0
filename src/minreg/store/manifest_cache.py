"""Manifest files: read once, checked against their digest, and remembered."""

import time
from collections.abc import Callable

import attrs

from minreg.oci.manifests import Manifest, ManifestInvalid, looks_like_manifest, parse_manifest
from minreg.oci.names import Digest
from minreg.store.cache import Fingerprint, LeastRecentlyUsedCache, fingerprint, is_settled
from minreg.store.interfaces import ContentInvalid, StoreUnavailable
from minreg.store.rooted import OpenedFile

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
