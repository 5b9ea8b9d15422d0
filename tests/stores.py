"""Stores and threads that tests control."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from minreg.oci.manifests import Descriptor
from minreg.oci.names import OCI_MANIFEST, Digest
from minreg.store.interfaces import (
    Content,
    ContentNotFound,
    IRegistryStore,
    IRepository,
    Listing,
    RepositorySummary,
)

OCTETS = "application/octet-stream"


class ManualThreads:
    """A thread runner whose calls wait until the test runs them."""

    def __init__(self) -> None:
        self._held: list[tuple[str, Deferred[Any], Callable[[], Any]]] = []

    def __call__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Queue a call, and return a Deferred with its result."""
        done: Deferred[Any] = Deferred()
        self._held.append((work.__name__, done, lambda: work(*args, **kwargs)))
        return done

    def __len__(self) -> int:
        return len(self._held)

    def names(self) -> list[str]:
        """Return the names of the queued functions."""
        return [name for name, _, _ in self._held]

    def run(self) -> None:
        """Run the oldest call."""
        _, done, work = self._held.pop(0)
        maybeDeferred(work).chainDeferred(done)


class OpenFile(BytesIO):
    """A file in memory that can be truncated, and can fail."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.fails_at: int | None = None
        self.largest_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, or fail as a failing disk does."""
        if self.fails_at is not None and self.tell() >= self.fails_at:
            raise OSError(5, "Input/output error")
        content = super().read(size)
        self.largest_read = max(self.largest_read, len(content))
        return content


@implementer(IRepository)
class OneContentRepository:
    """A repository in which every tag and digest names the same content.

    Args:
        file: The first content, as a blob or manifest.
        size: Its size in bytes.
        more: The contents after that.
    """

    name = "a"
    by_namespace = False

    def __init__(self, file: BinaryIO, size: int, *more: BinaryIO) -> None:
        self._files = [file, *more]
        self._size = size
        self.failure: Exception | None = None

    def open_blob(self, digest: Digest) -> Content:
        """See ``IRepository``."""
        return self._open(digest, OCTETS)

    def open_manifest(self, reference: str | Digest) -> Content:
        """See ``IRepository``."""
        digest = reference if isinstance(reference, Digest) else Digest.of(b"")
        return self._open(digest, OCI_MANIFEST)

    def list_tags(self) -> list[str]:
        """See ``IRepository``."""
        if self.failure is not None:
            raise self.failure
        return ["1"]

    def list_referrers(self, _digest: Digest) -> list[Descriptor]:
        """See ``IRepository``."""
        self.list_tags()
        return []

    def measure_blob(self, _digest: Digest) -> int | None:
        """See ``IRepository``."""
        self.list_tags()
        return self._size

    def open_known_blob(self, digest: Digest) -> BinaryIO:
        """See ``IRepository``."""
        return self.open_blob(digest).file

    def summarize(self) -> RepositorySummary:
        """See ``IRepository``."""
        sizes = {Digest.of(b""): self._size}
        return RepositorySummary(tuple(self.list_tags()), (), 1, sizes, 0, 0, 0.0)

    def _open(self, digest: Digest, media_type: str) -> Content:
        self.list_tags()
        file = self._files.pop(0) if len(self._files) > 1 else self._files[0]
        return Content(file, self._size, digest, media_type)


@implementer(IRegistryStore)
class OneContentStore:
    """A store whose only repository is a ``OneContentRepository``; the arguments are the same."""

    def __init__(self, file: BinaryIO, size: int, *more: BinaryIO) -> None:
        self.repository = OneContentRepository(file, size, *more)

    def find_repository(self, _namespace: str | None, _name: str) -> OneContentRepository:
        """See ``IRegistryStore``."""
        return self.repository

    def open_blob(self, _namespace: str | None, _name: str, digest: Digest) -> Content:
        """See ``IRegistryStore``."""
        return self.repository.open_blob(digest)

    def open_manifest(
        self, _namespace: str | None, _name: str, reference: str | Digest
    ) -> Content:
        """See ``IRegistryStore``."""
        return self.repository.open_manifest(reference)

    def list_tags(self, _namespace: str | None, _name: str) -> Listing[str]:
        """See ``IRegistryStore``."""
        return Listing(self.repository.list_tags(), by_namespace=False)

    def list_referrers(
        self, _namespace: str | None, _name: str, digest: Digest
    ) -> Listing[Descriptor]:
        """See ``IRegistryStore``."""
        return Listing(self.repository.list_referrers(digest), by_namespace=False)

    def iterate_repositories(self, _after: str) -> Iterator[str]:
        """See ``IRegistryStore``."""
        return iter(self.repository.list_tags())

    def list_releases(self) -> list[str]:
        """See ``IRegistryStore``."""
        self.check()
        return []

    def read_release(self, version: str) -> bytes:
        """See ``IRegistryStore``."""
        self.check()
        raise ContentNotFound(version)

    def check(self) -> None:
        """See ``IRegistryStore``."""
        self.repository.list_tags()

    def uncached(self) -> "OneContentStore":
        """See ``IRegistryStore``."""
        return self
