"""The lists of images of K3s releases that a tree keeps beside its repositories."""

import copy
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

from zope.interface import implementer

from minreg.store.cache import Dependencies
from minreg.store.index import RepositoryIndexCache
from minreg.store.interfaces import (
    ContentInvalid,
    ContentNotFound,
    ContentUnreadable,
    IRegistryStore,
    RepositoryNotFound,
    StoreNotReady,
    StoreUnavailable,
)
from minreg.store.lookup import candidates
from minreg.store.manifest_cache import ManifestCache
from minreg.store.repository import TreeRepository
from minreg.store.rooted import RootedDirectory
from minreg.store.walk import walk

LARGEST_LIST = 1024 * 1024
"""Bytes. K3s' own lists have less than one thousand; nothing real comes near."""

_DIRECTORY = "k3s"
_SUFFIX = ".txt"
_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]{0,64}")


def is_release(text: str) -> bool:
    """Tell whether ``text`` has the form of a release's name, such as ``v1.33.4+k3s1``."""
    return _VERSION.fullmatch(text) is not None


def release_path(version: str) -> str:
    """Name the file, below a tree's root, for the list of a release's images."""
    return f"{_DIRECTORY}/{version}{_SUFFIX}"


def as_tag(version: str) -> str:
    """Write a release's name as tags have it: they cannot have a ``+``."""
    return version.replace("+", "-")


def match_release(kept: Sequence[str], wanted: str) -> str | None:
    """Find the release that is meant: by its name, or by how tags have it."""
    if wanted in kept:
        return wanted
    return next((name for name in kept if as_tag(name) == as_tag(wanted)), None)


def list_releases(files: RootedDirectory) -> list[str]:
    """Name the releases whose lists are kept, in order; raises as ``RootedDirectory.scan`` does."""
    try:
        with files.scan(_DIRECTORY) as (_, entries):
            names = [entry.name.removesuffix(_SUFFIX) for entry in entries if _is_list(entry.name)]
    except FileNotFoundError:
        return []
    return sorted(names)


def read_release(files: RootedDirectory, version: str) -> bytes:
    """Read the list of a release; see ``IRegistryStore.read_release``."""
    if not is_release(version):
        raise ContentNotFound(f"{version[:80]!r} is no release of K3s such as v1.33.4+k3s1")
    try:
        opened = files.open_file(release_path(version))
    except FileNotFoundError:
        raise ContentNotFound(f"no list of the images of K3s {version} is kept here") from None
    try:
        with opened.file as file:
            content: bytes = file.read(LARGEST_LIST + 1)
    except OSError as error:
        raise StoreUnavailable(f"{opened.path}: {error.strerror}") from None
    if len(content) > LARGEST_LIST:
        raise ContentInvalid(f"{opened.path} is too long to be a list of images: remove it")
    return content


def _is_list(name: str) -> bool:
    return name.endswith(_SUFFIX) and is_release(name.removesuffix(_SUFFIX))


_BYTES_OF_ONE = 256 * 1024
_FACTS_OF_ONE = 1000


@implementer(IRegistryStore)
class RegistryTree:
    """The repositories below a root directory.

    Args:
        root: The directory. It may be a link, and may be exchanged at any time.
        aliases: Names under which this registry is known, each with the upstream host
            whose content is meant, both as ``parse_host`` spells them.
        allow_links_to: Directories outside of the root that links may lead to.
        now: Tells the time, in nanoseconds since the epoch.
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
        self._documents = ManifestCache(now=now)
        self._surveys = RepositoryIndexCache(now=now)
        self._now = now

    def find_repository(self, namespace: str | None, name: str) -> TreeRepository:
        """See ``IRegistryStore``."""
        try:
            found = self._find(namespace, name)
        except ContentUnreadable:
            # If the root itself is closed, that is not this repository's fault.
            self.check()
            raise
        if found is None:
            self.check()
            raise RepositoryNotFound(name)
        return found

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
        tree._documents = ManifestCache(_BYTES_OF_ONE, self._now)  # noqa: SLF001 - of this class
        tree._surveys = RepositoryIndexCache(_FACTS_OF_ONE, self._now)  # noqa: SLF001 - likewise
        return tree

    def _find(self, namespace: str | None, name: str) -> TreeRepository | None:
        begun = self._now()
        absent: list[str] = []
        for candidate in candidates(namespace, name, self._aliases):
            manifests = f"{candidate.path}/manifests"
            if self._files.is_directory(manifests):
                return TreeRepository(
                    candidate.path,
                    candidate.by_namespace,
                    self._files,
                    self._documents,
                    self._surveys,
                    Dependencies(self._files.root, begun, tuple(absent)),
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


_MEND = "unpack the registry tree there, or mount the file system that holds it"

_OF_A_FILE_SYSTEM = "lost+found"
"""What a new file system has at its top (mke2fs(8))."""


class DeferredTree(RegistryTree):
    """A tree whose root may come later; until then nothing can be said to be missing in it.

    A root that is empty counts as not there: so looks a mount point before its file system.
    """

    def check(self) -> None:
        """See ``IRegistryStore``.

        Raises:
            StoreAwaited: The root is not there yet, or is empty.
            StoreUnavailable: It is there, but cannot be read.
        """
        try:
            with os.scandir(self.root) as entries:
                is_empty = all(entry.name == _OF_A_FILE_SYSTEM for entry in entries)
        except FileNotFoundError:
            raise StoreNotReady(f"root {self.root} is not there yet: {_MEND}") from None
        except OSError:
            is_empty = False
        if is_empty:
            raise StoreNotReady(f"root {self.root} is still empty: {_MEND}")
        super().check()
