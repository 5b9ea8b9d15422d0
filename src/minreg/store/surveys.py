"""Surveys of repositories: taken when they are needed, and remembered until they change."""

import os
import time
from collections.abc import Callable, Iterator, Mapping

import attrs

from minreg.names import is_tag
from minreg.store.directory import RepositoryDirectory, digest_in_name
from minreg.store.documents import Document
from minreg.store.signatures import RecentlyUsed, Signature, is_settled, signature
from minreg.store.survey import Survey, make_survey

_REMEMBERED = 100_000


@attrs.frozen
class TakenSurvey:
    """A survey, the directory's status, and the files that may change without changing it.

    ``watched`` is None if something changed too recently for the survey to be kept.
    """

    survey: Survey
    status: os.stat_result
    watched: Mapping[str, Signature | None] | None


class Surveys:
    """Reads all manifests of a repository. What they say it knows until one changes.

    Args:
        remembered: Facts (see ``Survey.facts``) that are kept of all repositories.
        now: Tells the time, in nanoseconds since the epoch.
    """

    def __init__(
        self, remembered: int = _REMEMBERED, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._remembered = remembered
        self._known: RecentlyUsed[tuple[object, ...], TakenSurvey] = RecentlyUsed(remembered)
        self._now = now

    def survey(self, directory: RepositoryDirectory) -> Survey:
        """Tell what the manifests of a repository say; raises as ``look`` does."""
        return self.look(directory).survey

    def look(self, directory: RepositoryDirectory) -> TakenSurvey:
        """Tell what the manifests of a repository say, and how long that holds.

        Raises:
            FileNotFoundError: There is no such repository.
            ContentBroken: Its directory must not, or cannot, be read.
            StoreUnavailable: The disk does not answer.
        """
        taken = self._known.get((directory.name, *signature(directory.status())))
        if taken is not None and _is_current(directory, taken.watched or {}):
            return taken
        return self._take(directory)

    def _take(self, directory: RepositoryDirectory) -> TakenSurvey:
        now = self._now()
        with directory.scan() as (status, entries):
            is_link = {entry.name: entry.is_symlink() for entry in entries}
        documents: dict[str, Document] = {}
        seen: dict[str, os.stat_result | None] = {}
        for place in _places(directory, is_link):
            looked = directory.look(place)
            document = directory.read_if_sound(place)
            if document is not None:
                documents[place] = document
            if document is None or not _is_lasting(place, is_link):
                seen[place] = looked
        documents.update(_misfiled_children(directory, documents))
        survey = make_survey(documents.items())
        if not all(found is None or is_settled(found, now) for found in (status, *seen.values())):
            return TakenSurvey(survey, status, watched=None)
        watched = {place: found and signature(found) for place, found in seen.items()}
        taken = TakenSurvey(survey, status, watched)
        key = (directory.name, *signature(status))
        # One that is larger than all that may be kept is kept alone: without it, every
        # request would read the whole repository.
        self._known.put(key, taken, min(survey.facts + len(seen), self._remembered))
        return taken


def _is_lasting(place: str, is_link: Mapping[str, bool]) -> bool:
    """Tell whether sound content stays what it is until its directory changes.

    A file that is named after its digest does; a tag's file may be overwritten in place,
    and what a link leads to may change anywhere.
    """
    name = os.path.basename(place)
    return digest_in_name(name) is not None and not is_link.get(name, True)


def _is_current(directory: RepositoryDirectory, watched: Mapping[str, Signature | None]) -> bool:
    for place, known in watched.items():
        found = directory.look(place)
        if known != (found and signature(found)):
            return False
    return True


def _places(directory: RepositoryDirectory, names: Mapping[str, bool]) -> Iterator[str]:
    """Name the places of all manifests, in a stable order, and no linked neighbour twice."""
    for name in sorted(names):
        if digest_in_name(name) is not None:
            yield f"manifests/{name}"
        elif is_tag(name):
            linked = directory.digest_linked_by(name) if names[name] else None
            if linked is None or str(linked) not in names:
                yield f"manifests/{name}"
            if linked is not None and str(linked) not in names:
                yield f"blobs/{linked}"


def _misfiled_children(
    directory: RepositoryDirectory, documents: Mapping[str, Document]
) -> dict[str, Document]:
    """Read what indexes list and the script put among the blobs."""
    known = {document.digest for document in documents.values()}
    listed = {
        child.digest for document in documents.values() for child in document.manifest.manifests
    }
    places = (f"blobs/{digest}" for digest in sorted(listed - known))
    # Most children of an index are there as manifests or not at all: to look costs least.
    read = ((place, directory.read_if_sound(place)) for place in places if directory.exists(place))
    return {place: document for place, document in read if document is not None}
