"""A registry tree: repositories as directories below one root, as found in the field.

``<root>/<name>/manifests`` and ``<root>/<name>/blobs`` make a repository. Nothing is read
before a request asks for it, and what a request finds is what lies there at that moment.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from zope.interface import implementer

from minreg.interfaces import ContentBroken, IRegistryStore, RepositoryNotFound
from minreg.names import is_repository
from minreg.store.documents import Documents
from minreg.store.enclosure import Enclosure, directory_status
from minreg.store.evidence import Evidence
from minreg.store.lookup import candidates
from minreg.store.releases import list_releases, read_release
from minreg.store.repository import TreeRepository
from minreg.store.surveys import Surveys

_Identity = tuple[int, int]


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
        self._files = Enclosure(root, allow_links_to)
        self._aliases = dict(aliases or {})
        self._documents = Documents(now=now)
        self._surveys = Surveys(now=now)
        self._now = now

    def find_repository(self, namespace: str | None, name: str) -> TreeRepository:
        """See ``IRegistryStore``."""
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
                    Evidence(self._files.root, begun, tuple(absent)),
                )
            absent.append(manifests)
        self._files.check_root()
        raise RepositoryNotFound(name)

    def iterate_repositories(self, after: str) -> Iterator[str]:
        """See ``IRegistryStore``."""
        self._files.check_root()
        return self._walk("", after, frozenset())

    def list_releases(self) -> list[str]:
        """See ``IRegistryStore``."""
        self.check()
        return list_releases(self._files)

    def read_release(self, version: str) -> bytes:
        """See ``IRegistryStore``."""
        self.check()
        return read_release(self._files, version)

    def check(self) -> None:
        """See ``IRegistryStore``."""
        self._files.check_root()

    def _walk(self, path: str, after: str, above: frozenset[_Identity]) -> Iterator[str]:
        """Go through a directory in the order of the names that lie in it and below it.

        A repository ``a`` sorts before ``a-b``, and what lies below it, ``a/…``, behind:
        so each subdirectory has two places, one for itself and one for its content.
        ``above`` are the directories that led here: a link back to them is not followed.
        """
        identity, names = self._read_directory(path, above)
        above |= {identity}
        places = [f"{path}{name}" for name in names]
        places += [f"{place}/" for place in places]
        for place in sorted(places):
            if place.endswith("/"):
                if place > after or after.startswith(place):
                    yield from self._walk(place, after, above)
            elif place > after and self._is_repository(place):
                yield place

    def _read_directory(
        self, path: str, above: frozenset[_Identity]
    ) -> tuple[_Identity, list[str]]:
        """Identify a directory, and name those in it that can be part of a repository's name."""
        found = []
        identity = (0, 0)
        with suppress(FileNotFoundError, ContentBroken):
            with self._files.scan(path or ".") as (status, entries):
                identity = _identity(status)
                for entry in entries:
                    # Of the many entries, most are plain files: what costs least comes first.
                    if entry.is_symlink():
                        if not _leads_on(path, entry, above | {identity}):
                            continue
                    elif not entry.is_dir(follow_symlinks=False):
                        continue
                    if is_repository(path + entry.name):
                        found.append(entry.name)
        return identity, found

    def _is_repository(self, place: str) -> bool:
        """Tell whether a place can be listed; why not, whoever asks for it is told."""
        with suppress(ContentBroken):
            return self._files.is_directory(f"{place}/manifests")
        return False


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _leads_on(path: str, link: os.DirEntry[str], above: frozenset[_Identity]) -> bool:
    """Tell whether a link leads to a directory, and not back to one that led here.

    Tags are links as often as not, and each repository's ``blobs`` is a link to the same
    large directory: neither kind leads to repositories, and none is looked at.
    """
    if link.name == "blobs" or path.endswith("manifests/"):
        return False
    seen = directory_status(link)
    return seen is not None and _identity(seen) not in above
