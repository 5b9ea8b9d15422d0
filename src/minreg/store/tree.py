"""A registry tree: which of its repositories answers a request, and image lists of K3s releases.

One registry serves as the mirror of many. A client says which of them it means with the query
``ns`` (containerd sends it to every mirror), or with the path itself, or not at all. ``ns`` is
only a key to look up: it is never connected to, and content that is stored under one host's name
never answers for another host. Source: distribution-spec, "Registry Proxying".

The image list of a release is the file ``k3s/VERSION.txt``, as K3s publishes it
(``k3s-images.txt``).
"""

import copy
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

import attrs
from zope.interface import implementer

from minreg.oci.manifests import Descriptor
from minreg.oci.names import DOCKER_HUB, Digest, is_host, parse_host
from minreg.store.cache import Dependencies, ManifestCache
from minreg.store.index import RepositoryIndexCache
from minreg.store.interfaces import (
    Content,
    ContentInvalid,
    ContentNotFound,
    ContentUnreadable,
    IRegistryStore,
    Listing,
    RepositoryNotFound,
    StoreNotReady,
    StoreUnavailable,
)
from minreg.store.repository import TreeRepository
from minreg.store.rooted import RootedDirectory
from minreg.store.walk import walk


@attrs.frozen
class Candidate:
    """A path at which a repository may be stored.

    Attributes:
        path: The path below the root.
        by_namespace: Whether it follows from ``ns``.
    """

    path: str
    by_namespace: bool


def candidates(
    namespace: str | None, name: str, aliases: Mapping[str, str]
) -> Iterator[Candidate]:
    """Yield the paths at which a repository may be stored, best first, each once.

    Args:
        namespace: The host that the client asks for, as ``parse_host`` returns it; None if
            it names none.
        name: The repository's name in the request's path.
        aliases: Names of this registry, each with the upstream host that it stands for.
    """
    paths = set()
    for candidate in _in_order(namespace, name, aliases):
        if candidate.path not in paths:
            paths.add(candidate.path)
            yield candidate


def upstream_of(namespace: str | None, name: str, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Return the upstream registry that a request most likely means, and the repository there.

    Args:
        namespace: As for ``candidates``.
        name: As for ``candidates``.
        aliases: As for ``candidates``. Without a namespace, the first of their hosts is
            assumed.
    """
    first, _, rest = name.partition("/")
    host = aliases.get(namespace, namespace) if namespace is not None else None
    if rest and is_host(first) and (namespace in aliases or host in (None, parse_host(first))):
        host, name = parse_host(first), rest
    if host is None:
        host = next(iter(aliases.values()), DOCKER_HUB)
    return host, next(_with_library(host, name))


def _in_order(namespace: str | None, name: str, aliases: Mapping[str, str]) -> Iterator[Candidate]:
    if namespace is None:
        yield from _as_path(name, None)
        for host in dict.fromkeys(aliases.values()):
            yield from _below(host, name, by_namespace=False)
        return
    target = aliases.get(namespace)
    if is_host(namespace):
        yield from _below(namespace, name, by_namespace=True)
    if target is not None:
        yield from _below(target, name, by_namespace=True)
    if target is not None or _may_answer_for(namespace, name):
        yield from _as_path(name, target or namespace)


def _below(host: str, name: str, *, by_namespace: bool) -> Iterator[Candidate]:
    for path in _with_library(host, name):
        yield Candidate(f"{host}/{path}", by_namespace)


def _as_path(name: str, registry: str | None) -> Iterator[Candidate]:
    """Yield the name itself: for a tree without host names, or because it begins with a host."""
    first, _, rest = name.partition("/")
    if rest and is_host(first):
        yield from _below(parse_host(first), rest, by_namespace=False)
        yield Candidate(name, by_namespace=False)
        return
    for path in _with_library(registry, name):
        yield Candidate(path, by_namespace=False)


def _with_library(registry: str | None, name: str) -> Iterator[str]:
    """Yield a name; on Docker Hub, ``busybox`` is short for ``library/busybox``."""
    if registry == DOCKER_HUB and "/" not in name:
        yield f"library/{name}"
    yield name


def _may_answer_for(namespace: str, name: str) -> bool:
    """Return whether the name itself may be used as a path for a namespace.

    A name without a host may: the tree may have been made without host names. One with a host
    answers for that host only.
    """
    first, _, rest = name.partition("/")
    return not rest or not is_host(first) or parse_host(first) == namespace


LARGEST_LIST = 1024 * 1024
"""Bytes of an image list that are read. K3s' own lists have fewer than a thousand."""

_DIRECTORY = "k3s"
_SUFFIX = ".txt"
_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]{0,64}")


def is_release(text: str) -> bool:
    """Return whether ``text`` has the form of a K3s version, such as ``v1.33.4+k3s1``."""
    return _VERSION.fullmatch(text) is not None


def release_path(version: str) -> str:
    """Return the path, below a tree's root, of the image list of a release."""
    return f"{_DIRECTORY}/{version}{_SUFFIX}"


def as_tag(version: str) -> str:
    """Return a version as it is written in tags, which cannot contain ``+``."""
    return version.replace("+", "-")


def match_release(releases: Sequence[str], version: str) -> str | None:
    """Return the release of that version, also if it is written as in tags; None if none is."""
    if version in releases:
        return version
    return next((name for name in releases if as_tag(name) == as_tag(version)), None)


def list_releases(files: RootedDirectory) -> list[str]:
    """Return the releases whose image lists a tree has, in order.

    It raises as ``RootedDirectory.scan`` does.
    """
    try:
        with files.scan(_DIRECTORY) as (_, entries):
            names = [entry.name.removesuffix(_SUFFIX) for entry in entries if _is_list(entry.name)]
    except FileNotFoundError:
        return []
    return sorted(names)


def read_release(files: RootedDirectory, version: str) -> bytes:
    """Return the image list of a release; see ``IRegistryStore.read_release``."""
    if not is_release(version):
        raise ContentNotFound(f"{version[:80]!r} is not a K3s version such as v1.33.4+k3s1")
    try:
        opened = files.open_file(release_path(version))
    except FileNotFoundError:
        raise ContentNotFound(f"this tree has no image list of K3s {version}") from None
    try:
        with opened.file as file:
            content: bytes = file.read(LARGEST_LIST + 1)
    except OSError as error:
        raise StoreUnavailable(f"{opened.path}: {error.strerror}") from None
    if len(content) > LARGEST_LIST:
        raise ContentInvalid(f"{opened.path} is too long to be an image list: remove it")
    return content


def _is_list(name: str) -> bool:
    return name.endswith(_SUFFIX) and is_release(name.removesuffix(_SUFFIX))


_BYTES_OF_ONE = 256 * 1024
_FACTS_OF_ONE = 1000


@implementer(IRegistryStore)
class RegistryTree:
    """The repositories below a root directory.

    Args:
        root: The directory. It may be a link, and may be replaced at any time.
        aliases: Names of this registry, each with the upstream host that it stands for, both
            as ``parse_host`` returns them.
        allow_links_to: Directories outside of the root that symbolic links may point to.
        now: Returns the time, in nanoseconds since the epoch.
    """

    def __init__(
        self,
        root: str,
        aliases: Mapping[str, str] | None = None,
        allow_links_to: Sequence[str] = (),
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.root = root
        self._files = RootedDirectory(root, allow_links_to)
        self._aliases = dict(aliases or {})
        self._manifests = ManifestCache(now=now)
        self._indexes = RepositoryIndexCache(now=now)
        self._now = now

    def open_manifest(self, namespace: str | None, name: str, reference: str | Digest) -> Content:
        """See ``IRegistryStore``."""
        return self.find_repository(namespace, name).open_manifest(reference)

    def open_blob(self, namespace: str | None, name: str, digest: Digest) -> Content:
        """See ``IRegistryStore``."""
        return self.find_repository(namespace, name).open_blob(digest)

    def list_tags(self, namespace: str | None, name: str) -> Listing[str]:
        """See ``IRegistryStore``."""
        repository = self.find_repository(namespace, name)
        return Listing(repository.list_tags(), repository.by_namespace)

    def list_referrers(
        self, namespace: str | None, name: str, digest: Digest
    ) -> Listing[Descriptor]:
        """See ``IRegistryStore``."""
        repository = self.find_repository(namespace, name)
        return Listing(repository.list_referrers(digest), repository.by_namespace)

    def find_repository(self, namespace: str | None, name: str) -> TreeRepository:
        """See ``IRegistryStore``."""
        try:
            repository = self._find(namespace, name)
        except ContentUnreadable:
            # If the root itself cannot be read, report that instead.
            self.check()
            raise
        if repository is None:
            self.check()
            raise RepositoryNotFound(name)
        return repository

    def iterate_repositories(self, after: str) -> Iterator[str]:
        """See ``IRegistryStore``."""
        self.check()
        return walk(self._files, after)

    def check(self) -> None:
        """See ``IRegistryStore``."""
        self._files.check_root()

    def uncached(self) -> Self:
        """See ``IRegistryStore``."""
        tree = copy.copy(self)
        # Enough for one repository, whose files are read more than once.
        tree._manifests = ManifestCache(_BYTES_OF_ONE, self._now)  # noqa: SLF001 - of this class
        tree._indexes = RepositoryIndexCache(_FACTS_OF_ONE, self._now)  # noqa: SLF001 - likewise
        return tree

    def _find(self, namespace: str | None, name: str) -> TreeRepository | None:
        started = self._now()
        absent: list[str] = []
        for candidate in candidates(namespace, name, self._aliases):
            manifests = f"{candidate.path}/manifests"
            if self._files.is_directory(manifests):
                return TreeRepository(
                    candidate.path,
                    candidate.by_namespace,
                    self._files,
                    self._manifests,
                    self._indexes,
                    Dependencies(self._files.root, started, tuple(absent)),
                )
            absent.append(manifests)
        return None

    def list_releases(self) -> list[str]:
        """See ``IRegistryStore``."""
        self.check()
        return list_releases(self._files)

    def read_release(self, version: str) -> bytes:
        """See ``IRegistryStore``."""
        self.check()
        return read_release(self._files, version)


_FIX = "unpack the registry tree there, or mount the file system that holds it"

_LOST_AND_FOUND = "lost+found"
"""The directory that a new ext4 file system contains (mke2fs(8))."""


class DeferredTree(RegistryTree):
    """A tree whose root may be created or mounted later.

    Until then, requests are answered 503 and not 404. An empty root counts as not mounted yet.
    """

    def check(self) -> None:
        """See ``IRegistryStore``.

        Raises:
            StoreNotReady: The root does not exist yet, or is empty.
            StoreUnavailable: The root exists, but cannot be read.
        """
        try:
            with os.scandir(self.root) as entries:
                is_empty = all(entry.name == _LOST_AND_FOUND for entry in entries)
        except FileNotFoundError:
            raise StoreNotReady(f"root {self.root} does not exist yet: {_FIX}") from None
        except OSError:
            is_empty = False
        if is_empty:
            raise StoreNotReady(f"root {self.root} is still empty: {_FIX}")
        super().check()
