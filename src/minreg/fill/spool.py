"""Keeps what an archive holds, in the tree but out of sight, until it is known to be good."""

import hashlib
from contextlib import ExitStack
from types import TracebackType
from typing import BinaryIO, Self

import attrs

from minreg.fill.archives.failures import ArchiveInvalid
from minreg.fill.archives.members import File
from minreg.fill.tree.new_blob import NewBlob
from minreg.fill.tree.writer import TreeWriter
from minreg.names import Digest

_CHUNK = 1024 * 1024
_ROOM_TO_SPARE = 4 * 1024 * 1024


@attrs.frozen
class KeptBlob:
    """A file of the archive, as the tree has it already."""

    digest: Digest
    size: int
    _path: str

    def open(self) -> BinaryIO:
        """Open it for reading; the caller closes it."""
        return open(self._path, "rb")

    def commit(self) -> None:
        """Do nothing, for it is where it belongs."""


class TreeSpool:
    """The files of one archive, from ``with`` to its end; only what is committed stays.

    Implements ``minreg.fill.archives.contents.Spool``.

    Args:
        tree: The tree that the archive is for.
    """

    def __init__(self, tree: TreeWriter) -> None:
        self._tree = tree
        self._new: dict[Digest, NewBlob] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for blob in self._new.values():
            blob.discard()

    def keep(self, file: File, digest: Digest | None) -> NewBlob | KeptBlob:
        """Keep a file; see ``Spool``.

        What the tree has, or the archive had before, is compared, and not written again.
        """
        known = None if digest is None else self._find(digest, file.size)
        if digest is not None and known is not None:
            _compare(file, digest)
            return known
        room = self._tree.measure_room() - _ROOM_TO_SPARE
        if file.size > room:
            raise ArchiveInvalid(
                f"{file.path!r} has {file.size} bytes, and only {max(room, 0)} are free in "
                f"{self._tree.root}: make room, or import into another directory"
            )
        return self._write(file, digest)

    def holds(self, digest: Digest, size: int) -> bool:
        """Tell whether the tree has a blob already."""
        return self._tree.find_blob(digest, size) is not None

    def _find(self, digest: Digest, size: int) -> NewBlob | KeptBlob | None:
        if digest in self._new:
            return self._new[digest]
        path = self._tree.find_blob(digest, size)
        return None if path is None else KeptBlob(digest, size, path)

    def _write(self, file: File, digest: Digest | None) -> NewBlob | KeptBlob:
        with ExitStack() as leaving:
            blob = self._tree.new_blob("sha256" if digest is None else digest.algorithm)
            leaving.callback(blob.discard)
            while chunk := file.content.read(_CHUNK):
                blob.write(chunk)
            blob.finish()
            if digest is not None:
                _check(file, digest, blob.digest)
            known = self._find(blob.digest, blob.size)
            if known is not None:
                return known
            leaving.pop_all()
        self._new[blob.digest] = blob
        return blob


def _compare(file: File, digest: Digest) -> None:
    computed = hashlib.new(digest.algorithm)
    while chunk := file.content.read(_CHUNK):
        computed.update(chunk)
    _check(file, digest, Digest(digest.algorithm, computed.hexdigest()))


def _check(file: File, stated: Digest, computed: Digest) -> None:
    if stated != computed:
        raise ArchiveInvalid(
            f"{file.path!r} is damaged, its bytes are {computed}: copy the archive again"
        )
