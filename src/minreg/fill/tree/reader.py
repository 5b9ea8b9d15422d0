"""Reads a registry tree as the registry does, without changing anything."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from minreg.fill.errors import TreeUnreadable
from minreg.fill.tree.layout import BLOBS, MANIFESTS, PRIVATE, parse_repository_path
from minreg.oci.names import Digest, DigestInvalid, NameInvalid, is_tag
from minreg.store.cache import ManifestCache
from minreg.store.index import RepositoryIndexCache
from minreg.store.interfaces import ContentInvalid, ContentNotFound, RepositoryNotFound
from minreg.store.repository import TreeRepository
from minreg.store.rooted import RootedDirectory
from minreg.store.walk import walk

MAX_NAMES = 64
"""Paths that links may give to one directory; see ``minreg.store.walk``."""


class TreeReader:
    """Reads one registry tree. Repositories are named by their path below the root.

    Args:
        root: The tree's root; it need not exist.
        allow_links_to: Directories outside of the root that symbolic links may point to.
    """

    def __init__(self, root: str, allow_links_to: Sequence[str] = ()) -> None:
        self.root = root
        self._files = RootedDirectory(root, allow_links_to)
        self._manifests = ManifestCache()
        self._indexes = RepositoryIndexCache()

    def repository(self, path: str) -> TreeRepository:
        """Return a repository; its methods raise RepositoryNotFound if it does not exist."""
        return TreeRepository(path, False, self._files, self._manifests, self._indexes)  # noqa: FBT003 - the store's own order

    def iterate_repositories(self, report: Callable[[str], None]) -> Iterator[str]:
        """Yield the paths of all repositories, sorted, those below a host with a port too.

        Args:
            report: Called, for each part that cannot be read, with one line that says why and
                what to do. There may be repositories in it.
        """
        return walk(self._files, accept=_may_contain, report=report, max_names=MAX_NAMES)

    def list_tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, sorted, broken links included.

        Raises:
            FileNotFoundError: There is no such repository.
            ContentInvalid: It cannot be read, or leads out of the root.
        """
        with self._files.scan(f"{repository}/{MANIFESTS}") as (_, entries):
            return sorted(entry.name for entry in entries if is_tag(entry.name))

    def list_blobs(self, path: str) -> dict[Digest, int]:
        """Return the files of a directory that are named after digests, with sizes in bytes.

        Args:
            path: The directory's path below the root; it need not exist.

        Raises:
            TreeUnreadable: It cannot be read, or leads out of the root.
        """
        try:
            with self._files.scan(path) as (_, entries):
                return dict(_measure_files(entries))
        except FileNotFoundError:
            return {}
        except ContentInvalid as error:
            raise TreeUnreadable(str(error)) from None

    def identify(self, path: str) -> tuple[int, int] | None:
        """Return the device and inode number of a directory, the same for all paths to it.

        None if it does not exist, or is outside of the root where no link may lead.
        """
        try:
            status = self._files.checked_stat(path)
        except (FileNotFoundError, ContentInvalid):
            return None
        return status.st_dev, status.st_ino

    def read_manifest(
        self, repository: str, reference: str | Digest, *, with_metadata: bool = False
    ) -> tuple[Digest, bytes] | None:
        """Return the digest and bytes of a manifest or index; None if it is missing or invalid.

        Args:
            repository: The repository.
            reference: The tag or digest.
            with_metadata: Whether to return a manifest that is stored without its layers, too.
        """
        if not os.path.isdir(os.path.join(self.root, repository, MANIFESTS)):
            return None
        try:
            content = self.repository(repository).open_manifest(reference)
        except (ContentNotFound, RepositoryNotFound):
            return None
        with content.file:
            if content.is_metadata and not with_metadata:
                return None
            return content.digest, content.file.read()

    def has_blob(self, repository: str, digest: Digest, size: int) -> bool:
        """Return whether a repository, or the directory that all of them share, has a blob.

        Args:
            repository: The repository.
            digest: The blob's digest. It is not computed again: ``verify`` does that.
            size: The blob's size in bytes; a file of another size is not the blob.
        """
        return any(
            self.has_file(os.path.join(parent, BLOBS, str(digest)), size)
            for parent in (repository, "")
        )

    def has_file(self, path: str, size: int | None = None) -> bool:
        """Return whether the registry would serve the file at a path below the root.

        Args:
            path: The path.
            size: The size that it must have, in bytes; None for any.
        """
        measured = self._measure(path)
        return measured is not None and size in (None, measured)

    def read_file(self, path: str, size: int) -> bytes | None:
        """Return the bytes of a file below the root; None if it does not have this size."""
        if not self.has_file(path, size):
            return None
        try:
            with self._files.open_file(path).file as file:
                return file.read(size + 1)
        except (FileNotFoundError, ContentInvalid):
            return None

    def partial_size(self, digest: Digest) -> int:
        """Return how many bytes of a blob are stored from an earlier, interrupted download."""
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


def _may_contain(path: str) -> bool:
    """Return whether a directory may be a repository or contain one."""
    try:
        # "localhost:5000" alone is no path of a repository, but "localhost:5000/x" is.
        parse_repository_path(path if "/" in path else f"{path}/x")
    except NameInvalid:
        return False
    return True
