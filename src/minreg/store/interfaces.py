"""What the HTTP face asks of whatever keeps the content."""

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Generic, TypeVar

import attrs
from zope.interface import Attribute, Interface

from minreg.oci.manifests import Descriptor, Platform
from minreg.oci.names import Digest

Item = TypeVar("Item")

SMALL = 64 * 1024
"""Bytes up to which content is read into memory by the store, and sent in one piece."""


class RepositoryNotFound(LookupError):
    """No repository answers to the name."""


class ContentNotFound(LookupError):
    """The repository does not hold what was asked for.

    ``platform`` is set where an index of the repository names the content as the
    manifest for that platform: the index is sparse.
    """

    def __init__(self, reason: str, platform: Platform | None = None) -> None:
        super().__init__(reason)
        self.platform = platform


class ContentInvalid(ContentNotFound):
    """Something is there, but it must not be served: an operator has to mend it.

    The reason names the file, what is wrong with it and what to do. It is for the log;
    a client only learns that the content is not available.
    """


class ContentUnreadable(ContentInvalid):
    """Something is there, as far as can be seen, but this user may not read it."""


class StoreUnavailable(Exception):
    """The place where content lies cannot be read at all just now."""


class StoreNotReady(StoreUnavailable):
    """The place where content will lie is not there yet: the daemon was told to wait for it."""


class TooLarge(Exception):
    """The repository holds so much that saying it in a few words would take long."""


@attrs.frozen
class Content:
    """Content to be sent. Who gets it closes ``file``.

    Attributes:
        file: The bytes: ``size`` of them, unless the file has been truncated since. At most
            ``SMALL`` bytes are in memory already.
        size: Bytes.
        digest: The digest of the bytes.
        media_type: The media type of the bytes.
        is_current: Returns whether the same call would still return the same content; None if
            that cannot be told. It does not wait for the disk if it was called within the last
            seconds.
        by_namespace: Whether the request's namespace decided which repository this is from.
    """

    file: BinaryIO
    size: int
    digest: Digest
    media_type: str
    is_current: Callable[[], bool] | None = None
    by_namespace: bool = False

    def close(self) -> None:
        """Close the file."""
        self.file.close()


@attrs.frozen
class Listing(Generic[Item]):
    """A list of tags or referrers.

    Attributes:
        items: The list.
        by_namespace: Whether the request's namespace decided which repository this is from.
    """

    items: Sequence[Item]
    by_namespace: bool


@attrs.frozen
class RepositorySummary:
    """What a repository holds, in a few words.

    ``platforms`` are those of images that are here; ``size`` is that of all that its
    manifests name, in bytes; ``missing`` how many blobs of it are not there, or not whole;
    ``changed`` when a manifest or a tag last came or went, in seconds since the epoch.
    """

    tags: tuple[str, ...]
    platforms: tuple[Platform, ...]
    size: int
    missing: int
    changed: float


class IRepository(Interface):
    """One repository: its manifests, blobs and tags. Its methods may wait for a disk."""

    name: str = Attribute("The name under which it is kept in the store.")
    by_namespace: bool = Attribute("Whether the request's namespace decided which it is.")

    def open_manifest(reference: str | Digest) -> Content:
        """Open the manifest or index that a tag or digest names.

        Raises:
            ContentNotFound: There is none that could be served.
        """

    def open_blob(digest: Digest) -> Content:
        """Open a config, a layer or other content that is no manifest.

        Raises:
            ContentNotFound: There is none that could be served.
        """

    def list_tags() -> list[str]:
        """List the tags, in the order of their bytes."""

    def list_referrers(digest: Digest) -> list[Descriptor]:
        """Describe the manifests whose subject is ``digest``, in a stable order."""

    def measure_blob(digest: Digest) -> int | None:
        """Tell how many bytes lie there for a blob; None if nothing does.

        Raises:
            ContentBroken: What lies there must not, or cannot, be read.
        """

    def open_known_blob(digest: Digest) -> BinaryIO:
        """Open what lies there for a blob, for one who knows already what it should be.

        Other than with ``open_blob``, nothing is compared with what manifests say.

        Raises:
            ContentNotFound: Nothing lies there that can, and may, be read.
        """

    def summarize() -> RepositorySummary:
        """Say in a few words what it holds.

        Raises:
            TooMuch: That would take long.
        """


class IRegistryStore(Interface):
    """Where repositories come from. Its methods may wait for a disk.

    All of them, and those of the repositories, are called in any thread, and raise
    ``StoreUnavailable`` when the store as a whole cannot be read.
    """

    def open_manifest(namespace: str | None, name: str, reference: str | Digest) -> Content:
        """Open the manifest or index that a tag or digest names in a repository.

        Args:
            namespace: As for ``find_repository``.
            name: As for ``find_repository``.
            reference: A tag or a digest.

        Raises:
            RepositoryNotFound: There is no such repository.
            ContentNotFound: It has no such manifest that could be served.
        """

    def open_blob(namespace: str | None, name: str, digest: Digest) -> Content:
        """Open a config, a layer or other content that is not a manifest.

        Raises:
            RepositoryNotFound: There is no such repository.
            ContentNotFound: It has no such blob that could be served.
        """

    def list_tags(namespace: str | None, name: str) -> Listing[str]:
        """List the tags of a repository, in the order of their bytes.

        Raises:
            RepositoryNotFound: There is no such repository.
        """

    def list_referrers(namespace: str | None, name: str, digest: Digest) -> Listing[Descriptor]:
        """Describe the manifests whose subject is ``digest``, in a stable order.

        Raises:
            RepositoryNotFound: There is no such repository.
        """

    def find_repository(namespace: str | None, name: str) -> IRepository:
        """Find the repository that a request names.

        Args:
            namespace: The registry host that the client believes to be talking to
                (the ``ns`` query), in the spelling of ``minreg.oci.names.parse_host``.
            name: The repository's name, as in the request's path.

        Raises:
            RepositoryNotFound: There is none.
        """

    def iterate_repositories(after: str) -> Iterator[str]:
        """Name the repositories that sort behind ``after``, in the order of their bytes."""

    def list_releases() -> list[str]:
        """Name the K3s releases whose lists of images are kept, in order."""

    def read_release(version: str) -> bytes:
        """Read the list of the images of a K3s release, as it was published.

        Raises:
            ContentNotFound: There is no such list that could be read.
        """

    def check() -> None:
        """Make sure that the store can be read at all."""
