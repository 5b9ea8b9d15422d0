"""What the HTTP face asks of whatever keeps the content."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

import attrs
from zope.interface import Attribute, Interface

from minreg.oci.manifests import Descriptor, Platform
from minreg.oci.names import Digest


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
    """Content that is about to be sent; whoever gets it closes ``file``.

    ``size`` is in bytes, and the file holds that many or has been cut short since.
    ``is_current`` tells at any later time whether the same question would still bring the
    same content; it never waits long where it was asked not long before, and is None if
    that cannot be told.
    """

    file: BinaryIO
    size: int
    digest: Digest
    media_type: str
    is_current: Callable[[], bool] | None = None

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    @contextmanager
    def closed_on_failure(self) -> Iterator[None]:
        """Close the file unless all goes well."""
        try:
            yield
        except BaseException:
            self.close()
            raise


@attrs.frozen
class RepositorySummary:
    """What a repository holds, in a few words.

    ``platforms`` are those of images that are here; ``images`` is how many there are: manifests
    and indexes that no index lists and that refer to no other manifest. ``sizes`` has each
    manifest and each blob that a manifest names, in bytes. ``missing`` is how many of these
    blobs are not there, or not whole; ``broken`` how many manifests, indexes and tags cannot
    be served, or not all of what they name can be found. ``changed`` is when a manifest or a
    tag last came or went, in seconds since the epoch.
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

    def uncached() -> "IRegistryStore":
        """Return the same store with hardly any memory, for one who reads all of it once.

        What the other one keeps for the requests of clients stays as it is.
        """
