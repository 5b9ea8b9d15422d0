"""Staging in memory, for tests of archives without a tree."""

import io
from collections.abc import Mapping
from typing import BinaryIO

import attrs

from minreg.fill.archives.contents import ArchiveContents
from minreg.fill.archives.members import FileMember
from minreg.fill.archives.tar import read_tar
from minreg.oci.names import Digest
from tests.image_archives import Members, make_tar


@attrs.define
class MemoryBlob:
    """A file kept in memory."""

    content: bytes
    digest: Digest
    is_committed: bool = False

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.content)

    def open(self) -> BinaryIO:
        """Open it for reading."""
        return io.BytesIO(self.content)

    def commit(self) -> None:
        """Remember that it was to be kept."""
        self.is_committed = True


class MemoryStaging:
    """Stores files in memory; verifies no digests.

    Args:
        blobs: The blobs of the tree, with their sizes.
    """

    def __init__(self, blobs: Mapping[Digest, int] | None = None) -> None:
        self._blobs = blobs or {}

    def add(self, file: FileMember, digest: Digest | None) -> MemoryBlob:
        """Keep a file."""
        content = b"".join(iter(lambda: file.content.read(1000), b""))
        return MemoryBlob(content, digest or Digest.of(content))

    def has_blob(self, digest: Digest, size: int) -> bool:
        """Return whether a blob is one of ``blobs``."""
        return self._blobs.get(digest) == size


def read_members(members: Members, blobs: Mapping[Digest, int] | None = None) -> ArchiveContents:
    """Read an archive with these members."""
    return ArchiveContents.read(read_tar(io.BytesIO(make_tar(members))), MemoryStaging(blobs))
