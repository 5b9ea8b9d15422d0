"""Stores and threads whose behaviour a test decides."""

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
    RepositorySummary,
)

OCTETS = "application/octet-stream"


class HeldThreads:
    """Threads in which work waits until a test lets it run."""

    def __init__(self) -> None:
        self._held: list[tuple[str, Deferred[Any], Callable[[], Any]]] = []

    def __call__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Take work, and promise its result."""
        done: Deferred[Any] = Deferred()
        self._held.append((work.__name__, done, lambda: work(*args, **kwargs)))
        return done

    def __len__(self) -> int:
        return len(self._held)

    def names(self) -> list[str]:
        """Name the functions that wait."""
        return [name for name, _, _ in self._held]

    def run(self) -> None:
        """Do the oldest work."""
        _, done, work = self._held.pop(0)
        maybeDeferred(work).chainDeferred(done)


class OpenFile(BytesIO):
    """A file in memory that can be cut short, and can fail."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.fails_at: int | None = None
        self.largest_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, or fail as a broken disk does."""
        if self.fails_at is not None and self.tell() >= self.fails_at:
            raise OSError(5, "Input/output error")
        content = super().read(size)
        self.largest_read = max(self.largest_read, len(content))
        return content


@implementer(IRegistryStore, IRepository)
class OneContentStore:
    """A store with one repository, which answers every question with the same.

    Args:
        file: What to hand out as a blob or manifest.
        size: Its size in bytes.
        more: What to hand out after that.
    """

    name = "a"
    by_namespace = False

    def __init__(self, file: BinaryIO, size: int, *more: BinaryIO) -> None:
        self._files = [file, *more]
        self._size = size
        self.failure: Exception | None = None

    def find_repository(self, _namespace: str | None, _name: str) -> "OneContentStore":
        """See ``IRegistryStore``."""
        return self

    def iterate_repositories(self, _after: str) -> Iterator[str]:
        """See ``IRegistryStore``."""
        return iter(self.list_tags())

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

    def list_releases(self) -> list[str]:
        """See ``IRegistryStore``."""
        self.list_tags()
        return []

    def read_release(self, version: str) -> bytes:
        """See ``IRegistryStore``."""
        self.list_tags()
        raise ContentNotFound(version)

    def check(self) -> None:
        """See ``IRegistryStore``."""
        self.list_tags()

    def uncached(self) -> "OneContentStore":
        """See ``IRegistryStore``."""
        return self

    def _open(self, digest: Digest, media_type: str) -> Content:
        self.list_tags()
        file = self._files.pop(0) if len(self._files) > 1 else self._files[0]
        return Content(file, self._size, digest, media_type)
