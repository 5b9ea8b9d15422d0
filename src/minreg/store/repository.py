"""One repository of a registry tree."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO

import attrs
from zope.interface import implementer

from minreg.interfaces import (
    Content,
    ContentBroken,
    ContentNotFound,
    IRepository,
    RepositoryNotFound,
)
from minreg.manifests import Descriptor
from minreg.media_types import OCI_INDEX
from minreg.names import Digest, DigestInvalid, is_tag
from minreg.store.documents import Document, Documents
from minreg.store.enclosure import Enclosure, OpenedFile
from minreg.store.signatures import RecentlyUsed, is_settled, signature
from minreg.store.survey import (
    Survey,
    describe,
    fallback_tag,
    make_survey,
    referrers_index,
    subject_of_fallback_tag,
)

OCTET_STREAM = "application/octet-stream"

Surveys = RecentlyUsed[tuple[int, ...], Survey]


@implementer(IRepository)
@attrs.frozen
class TreeRepository:
    """A directory with ``manifests`` and ``blobs`` in it.

    ``manifests`` holds manifests under their digests, and tags: links to those, or files
    of their own. ``blobs`` is a directory, or a link to one that repositories share.
    """

    name: str
    by_namespace: bool
    _files: Enclosure
    _documents: Documents
    _surveys: Surveys

    def open_manifest(self, reference: str | Digest) -> Content:
        """See ``IRepository``."""
        if isinstance(reference, Digest):
            return self._open_digest(reference)
        return self._open_tag(reference)

    def open_blob(self, digest: Digest) -> Content:
        """See ``IRepository``."""
        if self._files.exists(self._path(str(digest))):
            raise ContentNotFound(f"{digest} is a manifest, not a blob")
        try:
            opened = self._files.open_file(f"{self.name}/blobs/{digest}")
        except FileNotFoundError:
            raise ContentNotFound(f"blob {digest} is not in this repository") from None
        with opened.closed_on_failure():
            if self._documents.is_manifest(opened):
                raise ContentNotFound(f"{digest} is a manifest, not a blob")
            size = opened.status.st_size
            stated = self._survey().blob_sizes.get(digest)
            if stated is not None and size not in stated:
                raise ContentBroken(
                    f"{opened.path} has {size} bytes, but manifests of {self.name} say "
                    f"{' or '.join(map(str, sorted(stated)))}: copy it again"
                )
        return Content(opened.file, size, digest, OCTET_STREAM)

    def list_tags(self) -> list[str]:
        """See ``IRepository``."""
        with self._scan() as (_, entries):
            return sorted(entry.name for entry in entries if self._is_tag(entry))

    def list_referrers(self, digest: Digest) -> list[Descriptor]:
        """See ``IRepository``."""
        known = {found.digest: found for found in self._survey().referrers.get(digest, ())}
        for document in self._listed_by_fallback_tag(digest):
            subject = document.manifest.subject
            if subject is not None and subject.digest == digest:
                known[document.digest] = describe(document)
        return [known[referrer] for referrer in sorted(known)]

    def _path(self, name: str) -> str:
        return f"{self.name}/manifests/{name}"

    def _open_tag(self, tag: str) -> Content:
        try:
            opened = self._files.open_file(self._path(tag))
        except FileNotFoundError:
            return self._open_tag_elsewhere(tag)
        return self._as_content(opened, _digest_in_name(opened.path))

    def _open_tag_elsewhere(self, tag: str) -> Content:
        """Open what a lost link points to, or the list of referrers that a tag stands for."""
        digest = self._digest_linked_by(tag)
        if digest is not None:
            return self._open_linked(tag, digest)
        subject = subject_of_fallback_tag(tag, self._survey().referrers)
        if subject is not None:
            return self._open_referrers_index(subject)
        raise ContentNotFound(f"tag {tag} is not in repository {self.name}")

    def _open_linked(self, tag: str, digest: Digest) -> Content:
        try:
            return self._open_digest(digest)
        except ContentNotFound as error:
            raise ContentBroken(
                f"tag {tag} of {self.name} links to {digest}, and that is missing ({error}): "
                "copy it again"
            ) from None

    def _open_digest(self, digest: Digest) -> Content:
        try:
            opened = self._files.open_file(self._path(str(digest)))
        except FileNotFoundError:
            return self._open_digest_elsewhere(digest)
        return self._as_content(opened, digest)

    def _open_digest_elsewhere(self, digest: Digest) -> Content:
        """Open a manifest that lies under its tag only, among the blobs, or nowhere."""
        survey = self._survey()
        if digest not in survey.files and survey.has_tag_files:
            survey = self._take_survey()
        opened = self._open_tag_file(survey, digest) or self._open_among_blobs(digest)
        if opened is not None:
            return self._as_content(opened, digest)
        subject = survey.referrers_indexes.get(digest)
        if subject is not None:
            return self._open_referrers_index(subject)
        platform = survey.platforms.get(digest)
        if platform is None:
            raise ContentNotFound(f"manifest {digest} is not in repository {self.name}")
        raise ContentNotFound(
            f"manifest {digest} for {platform} is not in repository {self.name}: "
            "the index names it, but that platform was not stored",
            platform,
        )

    def _open_tag_file(self, survey: Survey, digest: Digest) -> OpenedFile | None:
        if digest not in survey.files:
            return None
        with suppress(FileNotFoundError):
            return self._files.open_file(self._path(survey.files[digest]))
        return None

    def _open_among_blobs(self, digest: Digest) -> OpenedFile | None:
        """Trees made by the script keep manifests without a mediaType among the blobs."""
        with suppress(FileNotFoundError):
            opened = self._files.open_file(f"{self.name}/blobs/{digest}")
            if self._documents.is_manifest(opened):
                return opened
            opened.file.close()
        return None

    def _open_referrers_index(self, subject: Digest) -> Content:
        content = referrers_index(self._survey().referrers.get(subject, ()))
        return Content(BytesIO(content), len(content), Digest.of(content), OCI_INDEX)

    def _as_content(self, opened: OpenedFile, digest: Digest | None) -> Content:
        with opened.closed_on_failure():
            document = self._documents.read(opened, digest)
            media_type = document.manifest.media_type
            if not document.manifest.states_media_type:
                media_type = self._survey().media_types.get(document.digest, media_type)
            return Content(opened.file, document.size, document.digest, media_type)

    def _listed_by_fallback_tag(self, digest: Digest) -> Iterator[Document]:
        """Read what a fallback tag lists and the manifests' directory does not have."""
        try:
            opened = self._files.open_file(self._path(fallback_tag(digest)))
        except FileNotFoundError:
            return
        with opened.file:
            index = self._documents.read(opened, _digest_in_name(opened.path)).manifest
        for child in index.manifests:
            listed = self._open_among_blobs(child.digest)
            if listed is not None:
                with listed.file:
                    yield self._documents.read(listed, child.digest)

    def _survey(self) -> Survey:
        with self._scan() as (status, _):
            known = self._surveys.get(signature(status))
        return known if known is not None else self._take_survey()

    def _take_survey(self) -> Survey:
        with self._scan() as (status, entries):
            names = [entry.name for entry in entries if self._is_manifest_file(entry)]
        survey = make_survey(self._read_all(names))
        if is_settled(status):
            self._surveys.put(signature(status), survey)
        return survey

    def _read_all(self, names: Iterable[str]) -> Iterator[tuple[str, Document]]:
        """Read manifests; what cannot be served is for the request that asks for it."""
        for name in names:
            with suppress(FileNotFoundError, ContentBroken):
                opened = self._files.open_file(self._path(name))
                with opened.file:
                    yield name, self._documents.read(opened, _digest_in_name(name))

    @contextmanager
    def _scan(self) -> Iterator[tuple[os.stat_result, Iterator[os.DirEntry[str]]]]:
        try:
            with self._files.scan(f"{self.name}/manifests") as scanned:
                yield scanned
        except FileNotFoundError:
            raise RepositoryNotFound(self.name) from None

    def _is_tag(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether an entry of ``manifests`` is a tag that leads to content."""
        if not is_tag(entry.name):
            return False
        if entry.is_file():
            return True
        digest = self._digest_linked_by(entry.name)
        return digest is not None and self._files.exists(f"{self.name}/blobs/{digest}")

    def _is_manifest_file(self, entry: os.DirEntry[str]) -> bool:
        """Tell whether an entry of ``manifests`` is a file, and not a link to its neighbour."""
        if _digest_in_name(entry.name) is not None:
            return True
        return is_tag(entry.name) and self._digest_linked_by(entry.name) is None

    def _digest_linked_by(self, tag: str) -> Digest | None:
        """Read the digest that a tag's link points to."""
        return _digest_in_name(self._files.read_link(self._path(tag)) or "")


def _digest_in_name(path: str) -> Digest | None:
    try:
        return Digest.parse(os.path.basename(path))
    except DigestInvalid:
        return None
