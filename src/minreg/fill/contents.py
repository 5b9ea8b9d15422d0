"""What a registry tree holds, read without changing anything."""

import os
from collections.abc import Iterator

from minreg.fill.places import BLOBS, MANIFESTS, PRIVATE, parse_place
from minreg.interfaces import ContentBroken, ContentNotFound, RepositoryNotFound
from minreg.names import Digest, NameInvalid
from minreg.store.documents import Documents
from minreg.store.enclosure import Enclosure
from minreg.store.repository import TreeRepository
from minreg.store.surveys import Surveys


class TreeContents:
    """Reads a registry tree as the registry does, and names repositories by their place.

    Args:
        root: The tree's root; it need not be there.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._files = Enclosure(root)
        self._documents = Documents()
        self._surveys = Surveys()

    def repository(self, place: str) -> TreeRepository:
        """Give the repository at a place; whether it is there, its methods tell."""
        return TreeRepository(place, False, self._files, self._documents, self._surveys)  # noqa: FBT003 - the store's own order

    def iterate_places(self) -> Iterator[str]:
        """Name the places of all repositories, those below a host's name too, in order."""
        yield from self._walk("", frozenset())

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
        except (FileNotFoundError, ContentBroken):
            return None

    def partial_size(self, digest: Digest) -> int:
        """Tell how many bytes of a blob are here from an earlier, broken attempt."""
        return self._measure(os.path.join(PRIVATE, "partial", str(digest))) or 0

    def _measure(self, path: str) -> int | None:
        if not os.path.isdir(self.root):
            return None
        try:
            return self._files.measure(path)
        except (FileNotFoundError, ContentBroken):
            return None

    def _walk(self, above: str, seen: frozenset[tuple[int, int]]) -> Iterator[str]:
        try:
            with os.scandir(os.path.join(self.root, above)) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir())
        except OSError:
            return
        for name in names:
            place = f"{above}{name}"
            if name in {PRIVATE, BLOBS, MANIFESTS} or not _could_lead(place):
                continue
            status = os.stat(os.path.join(self.root, place))
            if (status.st_dev, status.st_ino) in seen:
                continue
            if os.path.isdir(os.path.join(self.root, place, MANIFESTS)):
                yield place
            yield from self._walk(f"{place}/", seen | {(status.st_dev, status.st_ino)})


def _could_lead(path: str) -> bool:
    """Tell whether a directory can be a repository's, or lead to one."""
    try:
        # A host alone is no place, but "localhost:5000/x" below it is.
        parse_place(path if "/" in path else f"{path}/x")
    except NameInvalid:
        return False
    return True
