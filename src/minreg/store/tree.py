"""A registry tree: repositories as directories below one root, as found in the field.

``<root>/<name>/manifests`` and ``<root>/<name>/blobs`` make a repository. Nothing is read
before a request asks for it, and what a request finds is what lies there at that moment.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

from zope.interface import implementer

from minreg.interfaces import ContentBroken, IRegistryStore, RepositoryNotFound
from minreg.names import is_repository
from minreg.store.documents import Documents
from minreg.store.enclosure import Enclosure
from minreg.store.lookup import candidates
from minreg.store.repository import Surveys, TreeRepository

_SURVEYS_KEPT = 256


@implementer(IRegistryStore)
class RegistryTree:
    """The repositories below a root directory.

    Args:
        root: The directory. It may be a link, and may be exchanged at any time.
        aliases: Names under which this registry is known, each with the upstream host
            whose content is meant, both as ``parse_host`` spells them.
        allow_links_to: Directories outside of the root that links may lead to.
    """

    def __init__(
        self,
        root: str,
        aliases: Mapping[str, str] | None = None,
        allow_links_to: Sequence[str] = (),
    ) -> None:
        self._files = Enclosure(root, allow_links_to)
        self._aliases = dict(aliases or {})
        self._documents = Documents()
        self._surveys: Surveys = Surveys(_SURVEYS_KEPT)

    def find_repository(self, namespace: str | None, name: str) -> TreeRepository:
        """See ``IRegistryStore``."""
        for candidate in candidates(namespace, name, self._aliases):
            if self._files.is_directory(f"{candidate.path}/manifests"):
                return TreeRepository(
                    candidate.path,
                    candidate.by_namespace,
                    self._files,
                    self._documents,
                    self._surveys,
                )
        self._files.check_root()
        raise RepositoryNotFound(name)

    def iterate_repositories(self, after: str) -> Iterator[str]:
        """See ``IRegistryStore``."""
        self._files.check_root()
        return self._walk("", after, frozenset())

    def _walk(self, path: str, after: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
        """Go through a directory in the order of the names that lie in it and below it.

        A repository ``a`` sorts before ``a-b``, and what lies below it, ``a/…``, behind:
        so each subdirectory has two places, one for itself and one for its content.
        """
        places = []
        for name, identity in self._subdirectories(path):
            if identity not in above:
                places.append((f"{path}{name}", False, identity))
                places.append((f"{path}{name}/", True, identity))
        for place, is_below, identity in sorted(places):
            if is_below:
                if place > after or after.startswith(place):
                    yield from self._walk(place, after, above | {identity})
            elif place > after and self._files.is_directory(f"{place}/manifests"):
                yield place

    def _subdirectories(self, path: str) -> list[tuple[str, tuple[int, int]]]:
        """List the subdirectories that can be part of a repository's name, links too."""
        found = []
        try:
            with self._files.scan(path or ".") as (_, entries):
                for entry in entries:
                    if is_repository(path + entry.name) and entry.is_dir():
                        status = entry.stat()
                        found.append((entry.name, (status.st_dev, status.st_ino)))
        except (FileNotFoundError, ContentBroken):
            return []
        return found


def is_readable_root(root: str) -> bool:
    """Tell whether a directory can be listed and entered by this process."""
    return os.access(root, os.R_OK | os.X_OK)
