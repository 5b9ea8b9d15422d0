"""The interfaces between the HTTP side and the store, and what is passed across them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO, Generic, TypeVar

import attrs
from zope.interface import Attribute, Interface

from minreg.oci.manifests import Descriptor
from minreg.oci.names import Digest
from minreg.oci.platforms import Platform

Item = TypeVar("Item")

SMALL = 64 * 1024
"""Bytes up to which content is read into memory by the store, and sent in one piece."""


class RepositoryNotFound(LookupError):
    """There is no repository of that name."""


class ContentNotFound(LookupError):
    """The repository does not have the content.

    Attributes:
        platform: The platform for which an index of the repository names the content, if one
            does: the index is sparse.
    """

    def __init__(self, reason: str, platform: Platform | None = None) -> None:
        super().__init__(reason)
        self.platform = platform


class ContentInvalid(ContentNotFound):
    """The content exists, but must not be served, and an operator has to fix it.

    The reason names the file, what is wrong with it and what to do. It is for the log: a client
    is only told that the content is not available.
    """


class ContentUnreadable(ContentInvalid):
    """The content exists, or may exist, but this user has no permission to read it."""


class StoreUnavailable(Exception):
    """The store as a whole cannot be read at the moment."""


class StoreNotReady(StoreUnavailable):
    """The store does not exist yet, and the daemon was told to wait for it."""


class TooLarge(Exception):
    """The repository has so many manifests that a summary would take long."""


@attrs.frozen
class Content:
    """Content to be sent. The caller closes ``file``.

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
        modified: When its file was modified, in seconds since the epoch; None if it has none.
        is_metadata: Whether it is a manifest that is stored without its layers.
    """

    file: BinaryIO
    size: int
    digest: Digest
    media_type: str
    is_current: Callable[[], bool] | None = None
    by_namespace: bool = False
    modified: float | None = None
    is_metadata: bool = False

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
    """The content of a repository in a few figures.

    Attributes:
        tags: Its tags.
        platforms: The platforms of the images that it has.
        images: How many images it has: manifests and indexes that no index lists and that
            refer to no other manifest.
        sizes: Bytes of each manifest, and of each blob that a manifest names.
        missing: How many of these blobs do not exist, or have the wrong size.
        broken: How many manifests, indexes and tags cannot be served, or name manifests that
            do not exist.
        changed: When a manifest or a tag was last added or removed, in seconds since the epoch.
    """

    tags: tuple[str, ...]
    platforms: tuple[Platform, ...]
    images: int
    sizes: Mapping[Digest, int]
    missing: int
    broken: int
    changed: float

    @property
    def size(self) -> int:
        """Bytes of all manifests and blobs."""
        return sum(self.sizes.values())

    @property
    def is_complete(self) -> bool:
        """Whether all that the repository names can be served."""
        return not self.missing and not self.broken


class IRepository(Interface):
    """One repository: its manifests, blobs and tags. Its methods may wait for the disk."""

    name: str = Attribute("Its name in the store.")
    by_namespace: bool = Attribute(
        "Whether it was chosen because of the namespace of the request."
    )

    def open_manifest(reference: str | Digest) -> Content:
        """Open the manifest or index that a tag or digest names.

        Raises:
            ContentNotFound: It does not exist, or cannot be served.
        """

    def open_blob(digest: Digest) -> Content:
        """Open a config, a layer or other content that is not a manifest.

        Raises:
            ContentNotFound: It does not exist, or cannot be served.
        """

    def list_tags() -> list[str]:
        """Return the tags, in the order of their bytes."""

    def list_referrers(digest: Digest) -> list[Descriptor]:
        """Return the manifests whose subject is ``digest``, in a stable order."""

    def measure_blob(digest: Digest) -> int | None:
        """Return the size of a blob's file, in bytes; None if it does not exist.

        Raises:
            ContentInvalid: It must not, or cannot, be read.
        """

    def open_known_blob(digest: Digest) -> BinaryIO:
        """Open a blob's file without comparing its size with what manifests state.

        For a caller that has read the manifest already.

        Raises:
            ContentNotFound: It does not exist, or must not, or cannot, be read.
        """

    def summarize() -> RepositorySummary:
        """Return a summary of the repository.

        Raises:
            TooLarge: It has too many manifests.
        """


class IRegistryStore(Interface):
    """A store of repositories.

    Its methods, and those of its repositories, may wait for the disk and can be called from any
    thread. All of them raise ``StoreUnavailable`` if the store as a whole cannot be read.
    """

    def open_manifest(namespace: str | None, name: str, reference: str | Digest) -> Content:
        """Open the manifest or index that a tag or digest names in a repository.

        Args:
            namespace: As for ``find_repository``.
            name: As for ``find_repository``.
            reference: A tag or a digest.

        Raises:
            RepositoryNotFound: There is no such repository.
            ContentNotFound: It has no such manifest, or one that cannot be served.
        """

    def open_blob(namespace: str | None, name: str, digest: Digest) -> Content:
        """Open a config, a layer or other content that is not a manifest.

        Raises:
            RepositoryNotFound: There is no such repository.
            ContentNotFound: It has no such blob, or one that cannot be served.
        """

    def list_tags(namespace: str | None, name: str) -> Listing[str]:
        """Return the tags of a repository, in the order of their bytes.

        Raises:
            RepositoryNotFound: There is no such repository.
        """

    def list_referrers(namespace: str | None, name: str, digest: Digest) -> Listing[Descriptor]:
        """Return the manifests whose subject is ``digest``, in a stable order.

        Raises:
            RepositoryNotFound: There is no such repository.
        """

    def find_repository(namespace: str | None, name: str) -> IRepository:
        """Return the repository that a request names.

        Args:
            namespace: The upstream registry that the client means (the query ``ns``), as
                ``minreg.oci.names.parse_host`` returns it; None if the client names none.
            name: The repository's name in the request's path.

        Raises:
            RepositoryNotFound: There is no such repository.
        """

    def iterate_repositories(after: str) -> Iterator[str]:
        """Yield the names of the repositories that sort after ``after``, in byte order."""

    def list_releases() -> list[str]:
        """Return the K3s releases whose image lists the store has, in order."""

    def read_release(version: str) -> bytes:
        """Return the image list of a K3s release, as it was published.

        Raises:
            ContentNotFound: There is no such list, or one that cannot be read.
        """

    def check() -> None:
        """Check that the store as a whole can be read."""

    def uncached() -> "IRegistryStore":
        """Return the same store with tiny caches, for reading all of it once.

        The caches of this one are not affected.
        """
