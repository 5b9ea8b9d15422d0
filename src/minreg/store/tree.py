"""A registry tree: repositories as directories below one root, as found in the field.

``<root>/<name>/manifests`` and ``<root>/<name>/blobs`` make a repository. Nothing is read
before a request asks for it, and what a request finds is what lies there at that moment.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Self

from zope.interface import implementer

from minreg.interfaces import (
    ContentUnreadable,
    IRegistryStore,
    RepositoryNotFound,
)
from minreg.store.documents import Documents
from minreg.store.enclosure import Enclosure
from minreg.store.evidence import Evidence
from minreg.store.lookup import candidates
from minreg.store.releases import list_releases, read_release
from minreg.store.repository import TreeRepository
from minreg.store.surveys import Surveys
from minreg.store.walk import walk

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
        self._files = Enclosure(root, allow_links_to)
        self._aliases = dict(aliases or {})
        self._documents = Documents(now=now)
        self._surveys = Surveys(now=now)
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
        tree._documents = Documents(_BYTES_OF_ONE, self._now)  # noqa: SLF001 - of this class
        tree._surveys = Surveys(_FACTS_OF_ONE, self._now)  # noqa: SLF001 - likewise
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
                    Evidence(self._files.root, begun, tuple(absent)),
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
