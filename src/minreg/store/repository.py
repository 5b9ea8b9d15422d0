"""One repository of a registry tree."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO

import attrs
from zope.interface import implementer

from minreg.oci.manifests import Descriptor, ManifestInvalid, parse_manifest
from minreg.oci.names import OCI_INDEX, OCTET_STREAM, Digest
from minreg.store.cache import Dependencies, Fingerprint
from minreg.store.directory import (
    ManifestCache,
    ParsedManifest,
    RepositoryDirectory,
    digest_in_name,
)
from minreg.store.index import (
    IndexSnapshot,
    RepositoryIndex,
    RepositoryIndexCache,
    describe,
    fallback_tag,
    referrers_index,
    subject_of_fallback_tag,
)
from minreg.store.interfaces import (
    SMALL,
    Content,
    ContentInvalid,
    ContentNotFound,
    IRepository,
    RepositoryNotFound,
    RepositorySummary,
)
from minreg.store.rooted import OpenedFile, RootedDirectory


@implementer(IRepository)
@attrs.frozen
class TreeRepository:
    """A directory with ``manifests`` and ``blobs`` in it.

    ``manifests`` holds manifests under their digests, and tags: links to those, or files
    of their own. ``blobs`` is a directory, or a link to one that repositories share.
    """

    name: str
    by_namespace: bool
    _files: RootedDirectory
    _documents: ManifestCache
    _surveys: RepositoryIndexCache
    _evidence: Dependencies | None = None
    _directory: RepositoryDirectory = attrs.field(init=False)

    @_directory.default
    def _default_directory(self) -> RepositoryDirectory:
        return RepositoryDirectory(self.name, self._files, self._documents)

    def open_manifest(self, reference: str | Digest) -> Content:
        """See ``IRepository``."""
        if isinstance(reference, Digest):
            return self._open_digest(reference)
        return self._open_tag(reference)

    def open_blob(self, digest: Digest) -> Content:
        """See ``IRepository``."""
        if self._directory.exists(f"manifests/{digest}"):
            raise ContentNotFound(f"{digest} is a manifest, not a blob")
        opened = self._find_blob(digest)
        with opened.closed_on_failure():
            if self._directory.is_manifest(opened):
                raise ContentNotFound(f"{digest} is a manifest, not a blob")
            size = opened.status.st_size
            taken = self._look()
            stated = taken.survey.blob_sizes.get(digest)
            if stated is not None and size not in stated:
                raise ContentInvalid(
                    f"{opened.path} has {size} bytes, but manifests of {self.name} say "
                    f"{' or '.join(map(str, sorted(stated)))}: copy it again"
                )
        is_current = self._check(f"blobs/{digest}", opened, taken)
        return Content(
            _load_small(opened.file, size),
            size,
            digest,
            OCTET_STREAM,
            is_current,
            self.by_namespace,
        )

    def list_tags(self) -> list[str]:
        """See ``IRepository``."""
        with self._found(), self._directory.scan() as (_, entries):
            return sorted(entry.name for entry in entries if self._directory.is_tag(entry))

    def list_referrers(self, digest: Digest) -> list[Descriptor]:
        """See ``IRepository``."""
        known = {found.digest: found for found in self._survey().referrers.get(digest, ())}
        for document in self._listed_by_fallback_tag(digest):
            subject = document.manifest.subject
            if subject is not None and subject.digest == digest:
                known[document.digest] = describe(document)
        return [known[referrer] for referrer in sorted(known)]

    def measure_blob(self, digest: Digest) -> int | None:
        """See ``IRepository``."""
        return self._directory.blob_size(digest)

    def open_known_blob(self, digest: Digest) -> BinaryIO:
        """See ``IRepository``."""
        return self._find_blob(digest).file

    def summarize(self) -> RepositorySummary:
        """See ``IRepository``."""
        # Only pages need it.
        from minreg.store.summary import check_size_limit, summarize_repository  # noqa: PLC0415

        with self._found():
            check_size_limit(self._directory)
            return summarize_repository(self._directory, self._survey(), self.list_tags())

    def _find_blob(self, digest: Digest) -> OpenedFile:
        try:
            return self._directory.open(f"blobs/{digest}")
        except FileNotFoundError:
            raise ContentNotFound(f"blob {digest} is not in this repository") from None

    def _open_tag(self, tag: str) -> Content:
        try:
            opened = self._directory.open(f"manifests/{tag}")
        except FileNotFoundError:
            return self._open_tag_elsewhere(tag)
        return self._as_content(opened, f"manifests/{tag}", digest_in_name(opened.path))

    def _open_tag_elsewhere(self, tag: str) -> Content:
        """Open what a lost link points to, or the list of referrers that a tag stands for."""
        digest = self._directory.digest_linked_by(tag)
        if digest is not None:
            return self._open_linked(tag, digest)
        survey = self._survey()
        subject = subject_of_fallback_tag(tag, survey.referrers)
        if subject is not None:
            return self._open_referrers(survey, subject)
        raise ContentNotFound(f"tag {tag} is not in repository {self.name}")

    def _open_linked(self, tag: str, digest: Digest) -> Content:
        try:
            return self._open_digest(digest, self._look())
        except ContentNotFound as error:
            raise ContentInvalid(
                f"tag {tag} of {self.name} links to {digest}, and that is missing ({error}): "
                "copy it again"
            ) from None

    def _open_digest(self, digest: Digest, taken: IndexSnapshot | None = None) -> Content:
        place = f"manifests/{digest}"
        try:
            opened = self._directory.open(place)
        except FileNotFoundError:
            return self._open_digest_elsewhere(digest, taken or self._look())
        return self._as_content(opened, place, digest, taken)

    def _open_digest_elsewhere(self, digest: Digest, taken: IndexSnapshot) -> Content:
        """Open a manifest that lies under its tag only, among the blobs, or nowhere."""
        survey = taken.survey
        place = survey.places.get(digest, f"blobs/{digest}")
        opened = self._open_surveyed(survey, digest)
        if opened is None:
            place = f"blobs/{digest}"
            opened = self._directory.open_misfiled(digest)
        if opened is not None:
            return self._as_content(opened, place, digest, taken)
        subject = survey.referrers_indexes.get(digest)
        if subject is not None:
            return self._open_referrers(survey, subject)
        platform = survey.platforms.get(digest)
        if platform is None:
            raise ContentNotFound(f"manifest {digest} is not in repository {self.name}")
        raise ContentNotFound(
            f"manifest {digest} for {platform} is not in repository {self.name}: "
            "the index names it, but that platform was not stored",
            platform,
        )

    def _open_surveyed(self, survey: RepositoryIndex, digest: Digest) -> OpenedFile | None:
        place = survey.places.get(digest)
        if place is None:
            return None
        try:
            return self._directory.open(place)
        except FileNotFoundError:
            return None

    def _as_content(
        self,
        opened: OpenedFile,
        place: str,
        digest: Digest | None,
        taken: IndexSnapshot | None = None,
    ) -> Content:
        """Describe an opened manifest; ``taken`` is the survey that led to it, if one did."""
        with opened.closed_on_failure():
            document = self._directory.read(opened, digest)
            media_type = document.manifest.media_type
            if not document.manifest.states_media_type:
                taken = taken or self._look()
                media_type = taken.survey.media_types.get(document.digest, media_type)
            is_current = self._check(place, opened, taken)
            return Content(
                _load_small(opened.file, document.size),
                document.size,
                document.digest,
                media_type,
                is_current,
                self.by_namespace,
            )

    def _check(
        self, place: str, opened: OpenedFile, taken: IndexSnapshot | None
    ) -> Callable[[], bool] | None:
        """Make the function that tells whether a file, and what led to it, are as they were."""
        if self._evidence is None:
            return None
        found = {place: opened.status}
        watched: Mapping[str, Fingerprint | None] | None = {}
        if taken is not None:
            found["manifests"] = taken.status
            watched = taken.watched
        return self._evidence.check(self.name, found, watched)

    def _listed_by_fallback_tag(self, digest: Digest) -> Iterator[ParsedManifest]:
        """Read what a fallback tag lists and the manifests' directory does not have."""
        try:
            with self._open_tag(fallback_tag(digest)).file as file:
                index = parse_manifest(file.read())
        except (ContentNotFound, ManifestInvalid):
            return
        for child in index.manifests:
            listed = self._directory.read_if_sound(f"blobs/{child.digest}")
            if listed is not None:
                yield listed

    def _survey(self) -> RepositoryIndex:
        return self._look().survey

    def _look(self) -> IndexSnapshot:
        with self._found():
            return self._surveys.look(self._directory)

    @contextmanager
    def _found(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise RepositoryNotFound(self.name) from None

    def _open_referrers(self, survey: RepositoryIndex, subject: Digest) -> Content:
        """Return the index that lists the referrers of a manifest, made in memory."""
        content = referrers_index(survey.referrers[subject])
        return Content(
            BytesIO(content),
            len(content),
            Digest.of(content),
            OCI_INDEX,
            by_namespace=self.by_namespace,
        )


def _load_small(file: BinaryIO, size: int) -> BinaryIO:
    """Return small content as a file in memory, and close the file it was read from.

    What is large, or cannot be read, is returned as it is: sending it will show the error.
    """
    if size > SMALL:
        return file
    try:
        content = file.read(size)
        file.seek(0)
    except OSError:
        return file
    if len(content) < size:
        return file
    file.close()
    return BytesIO(content)
