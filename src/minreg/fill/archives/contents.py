"""The contents of an archive: its documents, its files, and the links between them.

An archive is read once, and the documents that describe its files may come last. So every file
is staged when it is read. A file whose path contains its digest is verified at once.
"""

import re
from collections.abc import Collection, Iterable
from typing import BinaryIO, Protocol

from minreg.fill.archives.compression import Readable
from minreg.fill.archives.members import FileMember, LinkMember, Member, MemberRefused
from minreg.fill.archives.unsupported import FILE_SYSTEM, is_file_system
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import Digest, DigestInvalid

MAX_DOCUMENT = 4 * 1024 * 1024
"""Bytes of JSON that are read into memory. Clients refuse larger manifests."""

MAX_MEMBERS = 20_000
"""Members of one archive; a K3s tarball has some hundred."""

OCI_LAYOUT = "oci-layout"
INDEX = "index.json"
DOCKER_DOCUMENT = "manifest.json"

_DOCUMENTS = frozenset({OCI_LAYOUT, INDEX, DOCKER_DOCUMENT})
_BLOB_PATH = re.compile(r"blobs/([a-z0-9]+)/([0-9a-f]+)")


class StagedFile(Protocol):
    """A file of the archive, stored until the archive was read to its end."""

    @property
    def digest(self) -> Digest:
        """The digest of its bytes."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    def open(self) -> BinaryIO:
        """Open it for reading; the caller closes it."""

    def commit(self) -> None:
        """Store it as a blob of the tree."""


class Staging(Protocol):
    """Stores the files of an archive while it is read."""

    def add(self, file: FileMember, digest: Digest | None) -> StagedFile:
        """Store a file.

        Args:
            file: The file, not yet read.
            digest: The digest that its bytes must have, or None if it is not known.

        Raises:
            ArchiveInvalid: Its bytes have another digest, or do not fit on the disk.
        """

    def has_blob(self, digest: Digest, size: int) -> bool:
        """Return whether the tree already has a blob, so that the archive need not have it."""


class ArchiveContents:
    """The contents of one archive.

    Args:
        staging: Where its files are stored.
    """

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self._members = 0
        self._documents: dict[str, bytes] = {}
        self._files: dict[str, StagedFile] = {}
        self._links: dict[str, str] = {}
        self._files_by_digest: dict[Digest, StagedFile] = {}
        self._generated: dict[Digest, bytes] = {}
        self._values: dict[str, str | bytes | Digest] = {}

    @classmethod
    def read(cls, members: Iterable[Member], staging: Staging) -> "ArchiveContents":
        """Read all members of an archive, and stage its files.

        Raises:
            ArchiveInvalid: A member is damaged, conflicts with another one, or does not belong
                in an image archive.
        """
        contents = cls(staging)
        try:
            for member in members:
                contents.add(member)
        except ArchiveInvalid as error:
            # A device or a link to /etc, say: the reason is what the archive is.
            refused = error.path if isinstance(error, MemberRefused) else None
            if is_file_system(contents.paths, refused):
                raise ArchiveInvalid(FILE_SYSTEM) from None
            raise
        contents.check_links()
        return contents

    def add(self, member: Member) -> None:
        """Read a member, and stage it if it is a file.

        Raises:
            ArchiveInvalid: The member is damaged, or conflicts with another one.
        """
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise ArchiveInvalid(f"the archive has more than {MAX_MEMBERS} members; split it")
        if isinstance(member, LinkMember):
            self._check_unique(member.path, member.target)
            self._links[member.path] = member.target
        elif member.path in _DOCUMENTS:
            content = _read_document(member.path, member.size, member.content)
            self._check_unique(member.path, content)
            self._documents[member.path] = content
        else:
            file = self._staging.add(member, _digest_in_path(member.path))
            self._check_unique(member.path, file.digest)
            self._files[member.path] = file
            self._files_by_digest.setdefault(file.digest, file)

    def check_links(self) -> None:
        """Check that no link is part of a loop, whether it is used or not.

        Raises:
            ArchiveInvalid: One is.
        """
        for path in self._links:
            self.find(path)

    def document(self, path: str) -> bytes | None:
        """Return ``oci-layout``, ``index.json`` or ``manifest.json``; None if it is missing."""
        return self._documents.get(path)

    @property
    def paths(self) -> Collection[str]:
        """The paths of all files and links."""
        return self._values.keys()

    def find(self, path: str) -> StagedFile | None:
        """Return the file at a path, links followed; None if there is none.

        Raises:
            ArchiveInvalid: The links form a loop.
        """
        visited: set[str] = set()
        while path in self._links:
            if path in visited:
                raise ArchiveInvalid(
                    f"{path!r} is part of a loop of links; "
                    "no image tool writes such an archive, so it is refused"
                )
            visited.add(path)
            path = self._links[path]
        # Point every link of the chain at its end: otherwise n links to each other would take
        # n² steps in check_links.
        self._links.update(dict.fromkeys(visited, path))
        return self._files.get(path)

    def commit(self, digest: Digest) -> None:
        """Store a blob in the tree, unless the tree already has it."""
        file = self._files_by_digest.get(digest)
        if file is not None:
            file.commit()

    def is_available(self, digest: Digest, size: int) -> bool:
        """Return whether a blob of ``size`` bytes is in the archive or already in the tree."""
        file = self._files_by_digest.get(digest)
        if file is None:
            return self._staging.has_blob(digest, size)
        return file.size == size

    def add_manifest(self, content: bytes) -> Digest:
        """Add a manifest that was generated for an image without one, and return its digest."""
        digest = Digest.of(content)
        self._generated[digest] = content
        return digest

    def has_file(self, digest: Digest) -> bool:
        """Return whether ``read_file`` finds a file of the archive, or a generated manifest."""
        return digest in self._files_by_digest or digest in self._generated

    def size_of(self, digest: Digest) -> int | None:
        """Return the size of a file in bytes; None if it is not in the archive."""
        file = self._files_by_digest.get(digest)
        return None if file is None else file.size

    def read_file(self, digest: Digest) -> bytes:
        """Return the bytes of a manifest or a config.

        Raises:
            ArchiveInvalid: It is too large to be one.
            KeyError: It is not in the archive.
        """
        generated = self._generated.get(digest)
        return generated if generated is not None else read_staged(self._files_by_digest[digest])

    def _check_unique(self, path: str, value: str | bytes | Digest) -> None:
        """Refuse a path with two meanings, of which each reader would choose another."""
        if self._values.setdefault(path, value) != value:
            raise ArchiveInvalid(
                f"{path!r} is in the archive twice, with different content; "
                "create the archive again"
            )


def read_staged(file: StagedFile) -> bytes:
    """Return the bytes of a small staged file.

    Raises:
        ArchiveInvalid: It is too large for a document.
    """
    with file.open() as opened:
        return _read_document(str(file.digest), file.size, opened)


def _read_document(name: str, size: int, content: Readable) -> bytes:
    if size > MAX_DOCUMENT:
        raise ArchiveInvalid(
            f"{name!r} has {size} bytes, more than a client accepts for a document; "
            "no image tool writes such an archive, so it is refused"
        )
    return b"".join(iter(lambda: content.read(MAX_DOCUMENT), b""))


def _digest_in_path(path: str) -> Digest | None:
    """Return the digest in a path ``blobs/ALGORITHM/HEX`` (OCI image-spec, image-layout.md)."""
    match = _BLOB_PATH.fullmatch(path)
    if match is None:
        return None
    try:
        return Digest.parse(":".join(match.groups()))
    except DigestInvalid:
        return None
