"""Manifest files: read once, checked against their digest, and remembered."""

import attrs

from minreg.interfaces import ContentBroken
from minreg.manifests import Manifest, ManifestInvalid, looks_like_manifest, parse_manifest
from minreg.names import Digest
from minreg.store.enclosure import OpenedFile
from minreg.store.signatures import RecentlyUsed, is_settled, signature

LARGEST_MANIFEST = 32 * 1024 * 1024
"""Bytes. Clients refuse manifests of more than some 4 MiB; nothing real comes near."""

_LARGEST_LOOK = 4 * 1024 * 1024
_REMEMBERED = 8 * 1024 * 1024


@attrs.frozen
class Document:
    """A manifest or index as it lies on the disk: its true digest, size, and meaning."""

    digest: Digest
    size: int
    manifest: Manifest


class Documents:
    """Reads manifest files. What it read of a file it knows until the file changes."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._documents: RecentlyUsed[tuple[object, ...], Document] = RecentlyUsed(remembered)
        self._looks: RecentlyUsed[tuple[object, ...], bool] = RecentlyUsed(4096)

    def read(self, opened: OpenedFile, digest: Digest | None) -> Document:
        """Read a manifest, and make sure that it is what its name says.

        Args:
            opened: The file; it is left at its beginning.
            digest: The digest that its name states, if it states one.

        Raises:
            ContentBroken: It is no manifest, or not the one that its name states.
        """
        algorithm = digest.algorithm if digest is not None else "sha256"
        key = (*signature(opened.status), algorithm)
        document = self._documents.get(key)
        if document is None:
            document = _read_document(opened, algorithm)
            if is_settled(opened.status):
                self._documents.put(key, document, document.size)
        if digest is not None and document.digest != digest:
            raise ContentBroken(
                f"{opened.path} does not hold what its name says, but {document.digest}: "
                "copy it again"
            )
        return document

    def is_manifest(self, opened: OpenedFile) -> bool:
        """Tell whether a file among the blobs is really a manifest."""
        if opened.status.st_size > _LARGEST_LOOK:
            return False
        key = signature(opened.status)
        known = self._looks.get(key)
        if known is None:
            known = _look(opened)
            if is_settled(opened.status):
                self._looks.put(key, known)
        return known


def _read_document(opened: OpenedFile, algorithm: str) -> Document:
    if opened.status.st_size > LARGEST_MANIFEST:
        raise ContentBroken(f"{opened.path} is too large to be a manifest: remove it")
    content = opened.file.read()
    opened.file.seek(0)
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid as error:
        raise ContentBroken(f"{opened.path} is not a manifest: {error}; remove it") from None
    return Document(Digest.of(content, algorithm), len(content), manifest)


def _look(opened: OpenedFile) -> bool:
    beginning = opened.file.read(64)
    opened.file.seek(0)
    if not beginning.lstrip().startswith(b"{"):
        return False
    content = opened.file.read()
    opened.file.seek(0)
    return looks_like_manifest(content)
