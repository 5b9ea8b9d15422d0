"""A spool in memory, for tests of what an archive says without a tree to put it in."""

import io
from collections.abc import Mapping
from typing import BinaryIO

import attrs

from minreg.fill.archives.contents import ArchiveContents
from minreg.fill.archives.members import FileMember
from minreg.fill.archives.reading import read_contents
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


class MemorySpool:
    """Keeps files in memory; checks no digests.

    Args:
        held: Blobs, with their sizes, that are where they belong already.
    """

    def __init__(self, held: Mapping[Digest, int] | None = None) -> None:
        self._held = held or {}

    def keep(self, file: FileMember, digest: Digest | None) -> MemoryBlob:
        """Keep a file."""
        content = b"".join(iter(lambda: file.content.read(1000), b""))
        return MemoryBlob(content, digest or Digest.of(content))

    def holds(self, digest: Digest, size: int) -> bool:
        """Tell whether a blob is one of those that were named."""
        return self._held.get(digest) == size


def read_members(members: Members, held: Mapping[Digest, int] | None = None) -> ArchiveContents:
    """Read an archive with these members."""
    return read_contents(read_tar(io.BytesIO(make_tar(members))), MemorySpool(held))
