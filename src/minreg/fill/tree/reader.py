"""What a registry tree holds, read without changing anything."""

import os
from collections.abc import Iterable, Iterator, Sequence

from minreg.fill.errors import TreeUnreadable
from minreg.fill.tree.layout import BLOBS, MANIFESTS, PRIVATE
from minreg.fill.tree.walk import Walk
from minreg.oci.names import Digest, DigestInvalid, is_tag
from minreg.store.directory import ManifestCache
from minreg.store.index import RepositoryIndexCache
from minreg.store.interfaces import ContentInvalid, ContentNotFound, RepositoryNotFound
from minreg.store.repository import TreeRepository
from minreg.store.rooted import RootedDirectory


class TreeReader:
    """Reads a registry tree as the registry does, and names repositories by their place.

    Args:
        root: The tree's root; it need not be there.
        allow_links_to: Directories outside of the root that links may lead to.
    """

    def __init__(self, root: str, allow_links_to: Sequence[str] = ()) -> None:
        self.root = root
        self._files = RootedDirectory(root, allow_links_to)
        self._documents = ManifestCache()
        self._surveys = RepositoryIndexCache()

    def repository(self, place: str) -> TreeRepository:
        """Give the repository at a place; whether it is there, its methods tell."""
        return TreeRepository(place, False, self._files, self._documents, self._surveys)  # noqa: FBT003 - the store's own order

    def walk(self) -> Walk:
        """Begin to walk through the tree, from repository to repository."""
        return Walk(self._files)

    def list_tags(self, place: str) -> list[str]:
        """List the tags of a repository, in order, those too that lead nowhere.

        Raises:
            FileNotFoundError: There is no such repository.
            ContentBroken: It cannot, or must not, be read.
        """
        with self._files.scan(f"{place}/{MANIFESTS}") as (_, entries):
            return sorted(entry.name for entry in entries if is_tag(entry.name))

    def list_blobs(self, path: str) -> dict[Digest, int]:
        """List the files in a directory that are named after digests, with their bytes.

        Args:
            path: The directory's path below the root; it need not be there.

        Raises:
            TreeUnreadable: It is there and cannot, or must not, be read.
        """
        try:
            with self._files.scan(path) as (_, entries):
                return dict(_measure_files(entries))
        except FileNotFoundError:
            return {}
        except ContentInvalid as error:
            raise TreeUnreadable(str(error)) from None

    def identify(self, path: str) -> tuple[int, int] | None:
        """Tell which directory a path below the root leads to, whatever else it is called.

        None if there is none, or if it lies out of the root, and not where links may lead.
        """
        try:
            status = self._files.checked_stat(path)
        except (FileNotFoundError, ContentInvalid):
            return None
        return status.st_dev, status.st_ino

    def read_manifest(self, place: str, reference: str | Digest) -> tuple[Digest, bytes] | None:
        """Read a manifest or index that is there and sound; None if there is no such."""
        if not os.path.isdir(os.path.join(self.root, place, MANIFESTS)):
            return None
        try:
            content = self.repository(place).open_manifest(reference)
        except (ContentNotFound, RepositoryNotFound):
            return None
        with content.file:
            return content.digest, content.file.read()

    def has_blob(self, place: str, digest: Digest, size: int) -> bool:
        """Tell whether a blob lies in a repository, or where all share it.

        Args:
            place: Where the repository lies.
            digest: The blob's digest. It is not computed again: ``verify`` does that.
            size: The blob's bytes; a file of another size is not the blob.
        """
        return any(
            self.has_file(os.path.join(above, BLOBS, str(digest)), size) for above in (place, "")
        )

    def has_file(self, path: str, size: int | None = None) -> bool:
        """Tell whether the registry would find a file at a path below the root.

        Args:
            path: The path.
            size: The bytes that it must have; any number if None.
        """
        measured = self._measure(path)
        return measured is not None and size in (None, measured)

    def read_file(self, path: str, size: int) -> bytes | None:
        """Read a file of so many bytes, below the root; None if there is no such."""
        if not self.has_file(path, size):
            return None
        try:
            with self._files.open_file(path).file as file:
                return file.read(size + 1)
        except (FileNotFoundError, ContentInvalid):
            return None

    def partial_size(self, digest: Digest) -> int:
        """Tell how many bytes of a blob are here from an earlier, broken attempt."""
        return self._measure(os.path.join(PRIVATE, "partial", str(digest))) or 0

    def _measure(self, path: str) -> int | None:
        if not os.path.isdir(self.root):
            return None
        try:
            return self._files.measure(path)
        except (FileNotFoundError, ContentInvalid):
            return None


def _measure_files(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[Digest, int]]:
    for entry in entries:
        try:
            digest = Digest.parse(entry.name)
            if not entry.is_dir(follow_symlinks=False):
                yield digest, entry.stat().st_size
        except (DigestInvalid, FileNotFoundError):
            continue
