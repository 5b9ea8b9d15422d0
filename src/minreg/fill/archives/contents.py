"""What was read of an archive: its documents, its files, and the links between them.

Contents come before the documents that say what they are, and can be read only once, so
all of them are spooled as they come. A file whose path is a digest is checked at once.
"""

import re
from typing import BinaryIO, Protocol

from minreg.fill.archives.compression import Readable
from minreg.fill.archives.members import FileMember, LinkMember, Member
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import Digest, DigestInvalid

LARGEST_DOCUMENT = 4 * 1024 * 1024
"""Bytes of JSON that are read into memory. Clients refuse larger manifests."""

MOST_MEMBERS = 20_000
"""A K3s tarball has some hundred."""

OCI_LAYOUT = "oci-layout"
INDEX = "index.json"
DOCKER_DOCUMENT = "manifest.json"

_DOCUMENTS = frozenset({OCI_LAYOUT, INDEX, DOCKER_DOCUMENT})
_BLOB_PATH = re.compile(r"blobs/([a-z0-9]+)/([0-9a-f]+)")


class StagedFile(Protocol):
    """A file of the archive, kept until the archive was read to its end."""

    @property
    def digest(self) -> Digest:
        """The digest of its bytes."""

    @property
    def size(self) -> int:
        """How many bytes it has."""

    def open(self) -> BinaryIO:
        """Open it for reading; the caller closes it."""

    def commit(self) -> None:
        """Keep it for good, as a blob."""


class Staging(Protocol):
    """Where files of the archive are kept while it is read."""

    def keep(self, file: FileMember, digest: Digest | None) -> StagedFile:
        """Keep a file.

        Args:
            file: The file, not yet read.
            digest: What its bytes must hash to, if that is known.

        Raises:
            ArchiveInvalid: Its bytes are others, or there is no room for them.
        """

    def holds(self, digest: Digest, size: int) -> bool:
        """Tell whether a blob need not be in the archive, for it is where it belongs."""


class ArchiveContents:
    """The contents of one archive.

    Args:
        spool: Where they are kept.
    """

    def __init__(self, spool: Staging) -> None:
        self._spool = spool
        self._members = 0
        self._documents: dict[str, bytes] = {}
        self._files: dict[str, StagedFile] = {}
        self._links: dict[str, str] = {}
        self._by_digest: dict[Digest, StagedFile] = {}
        self._made: dict[Digest, bytes] = {}
        self._known: dict[str, str | bytes | Digest] = {}

    def add(self, member: Member) -> None:
        """Take in a member, and read it.

        Raises:
            ArchiveInvalid: It is not what its name says, or does not fit to the others.
        """
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise ArchiveInvalid(f"it has more than {MOST_MEMBERS} members: split it")
        if isinstance(member, LinkMember):
            self._check_single(member.path, member.target)
            self._links[member.path] = member.target
        elif member.path in _DOCUMENTS:
            content = _read_document(member.path, member.size, member.content)
            self._check_single(member.path, content)
            self._documents[member.path] = content
        else:
            spooled = self._spool.keep(member, _digest_in_path(member.path))
            self._check_single(member.path, spooled.digest)
            self._files[member.path] = spooled
            self._by_digest.setdefault(spooled.digest, spooled)

    def check_links(self) -> None:
        """Make sure that no link leads in a circle, whether it is needed or not."""
        for path in self._links:
            self.find(path)

    def document(self, path: str) -> bytes | None:
        """Return one of the documents that say what the archive holds."""
        return self._documents.get(path)

    def find(self, path: str) -> StagedFile | None:
        """Find a file by its path, through links.

        Raises:
            ArchiveInvalid: The links lead in a circle.
        """
        passed: set[str] = set()
        while path in self._links:
            if path in passed:
                raise ArchiveInvalid(
                    f"{path!r} is a link that leads in a circle: "
                    "it was not made by an image tool, so it is not read"
                )
            passed.add(path)
            path = self._links[path]
        # However many links lead to each other, none is followed often.
        self._links.update(dict.fromkeys(passed, path))
        return self._files.get(path)

    def commit(self, digest: Digest) -> None:
        """Keep a blob for good, unless it is where it belongs already."""
        spooled = self._by_digest.get(digest)
        if spooled is not None:
            spooled.commit()

    def is_available(self, digest: Digest, size: int) -> bool:
        """Tell whether a blob is in the archive, or already where it belongs."""
        spooled = self._by_digest.get(digest)
        if spooled is None:
            return self._spool.holds(digest, size)
        return spooled.size == size

    def add_manifest(self, content: bytes) -> Digest:
        """Add a manifest that was made for an image that has none."""
        digest = Digest.of(content)
        self._made[digest] = content
        return digest

    def size_of(self, digest: Digest) -> int | None:
        """Tell how many bytes a file has; None if it is not in the archive."""
        spooled = self._by_digest.get(digest)
        return None if spooled is None else spooled.size

    def read(self, digest: Digest) -> bytes:
        """Read a manifest or a config that is there whole.

        Raises:
            ArchiveInvalid: It is too large to be one.
            KeyError: It is not there.
        """
        made = self._made.get(digest)
        return made if made is not None else read_spooled(self._by_digest[digest])

    def _check_single(self, path: str, value: str | bytes | Digest) -> None:
        """Refuse what would be one thing to one reader and another to the next."""
        if self._known.setdefault(path, value) != value:
            raise ArchiveInvalid(f"{path!r} is in it twice, and differs: make the archive anew")


def read_spooled(spooled: StagedFile) -> bytes:
    """Read a small spooled file whole.

    Raises:
        ArchiveInvalid: It is too large for a document.
    """
    with spooled.open() as file:
        return _read_document(str(spooled.digest), spooled.size, file)


def _read_document(name: str, size: int, content: Readable) -> bytes:
    if size > LARGEST_DOCUMENT:
        raise ArchiveInvalid(
            f"{name!r} has {size} bytes, more than a client takes for a document: "
            "it was not made by an image tool, so it is not read"
        )
    return b"".join(iter(lambda: content.read(LARGEST_DOCUMENT), b""))


def _digest_in_path(path: str) -> Digest | None:
    """Read the digest that an OCI layout's path to a blob states (image-layout.md)."""
    match = _BLOB_PATH.fullmatch(path)
    if match is None:
        return None
    try:
        return Digest.parse(":".join(match.groups()))
    except DigestInvalid:
        return None
