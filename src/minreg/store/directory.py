"""The two directories that make a repository, ``manifests`` and ``blobs``, and their files."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress

import attrs

from minreg.oci.names import Digest, DigestInvalid, is_tag
from minreg.store.interfaces import ContentInvalid
from minreg.store.manifest_cache import ManifestCache, ParsedManifest
from minreg.store.rooted import OpenedFile, RootedDirectory, is_file


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
