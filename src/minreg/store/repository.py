"""One repository of a registry tree.

A repository is a directory with two others in it. ``manifests`` holds manifests under their
digests, and tags: links to those, or files of their own. ``blobs`` is a directory, or a link to
one that repositories share. Trees made by K3s' air-gap script deviate from that in some ways
(``docs/tree.md``), so a manifest that is not where it should be is searched for elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from typing import BinaryIO

import attrs
from zope.interface import implementer

from minreg.oci.manifests import Descriptor, ManifestInvalid, parse_manifest
from minreg.oci.names import OCI_INDEX, OCTET_STREAM, Digest
from minreg.store.cache import Dependencies, Fingerprint, ManifestCache, ParsedManifest
from minreg.store.index import (
    METADATA,
    IndexSnapshot,
    RepositoryDirectory,
    RepositoryIndex,
    RepositoryIndexCache,
    describe,
    digest_in_name,
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

_MOST_PLATFORMS = 64
"""Manifests that are read to name the platform of a missing layer."""


@implementer(IRepository)
@attrs.frozen
class TreeRepository:
    """A repository of a registry tree.

    Attributes:
        name: Its path below the root.
        by_namespace: Whether the request's namespace decided that it is this one.
    """

    name: str
    by_namespace: bool
    _files: RootedDirectory
    _manifests: ManifestCache
    _indexes: RepositoryIndexCache
    _dependencies: Dependencies | None = None
    _directory: RepositoryDirectory = attrs.field(init=False)

    @_directory.default
    def _default_directory(self) -> RepositoryDirectory:
        return RepositoryDirectory(self.name, self._files, self._manifests)

    def open_manifest(self, reference: str | Digest) -> Content:
        """See ``IRepository``."""
        if isinstance(reference, Digest):
            return self._open_digest(reference)
        return self._open_tag(reference)

    def open_blob(self, digest: Digest) -> Content:
        """See ``IRepository``."""
        if self._directory.exists(f"manifests/{digest}"):
            raise ContentNotFound(f"{digest} is a manifest, not a blob")
        try:
            opened = self._open_blob_file(digest)
        except ContentInvalid:
            raise
        except ContentNotFound as error:
            raise self._with_platform(error, digest) from None
        with opened.closed_on_failure():
            if self._directory.is_manifest(opened):
                raise ContentNotFound(f"{digest} is a manifest, not a blob")
            size = opened.status.st_size
            snapshot = self._snapshot()
            sizes = snapshot.index.blob_sizes.get(digest)
            if sizes is not None and size not in sizes:
                raise ContentInvalid(
                    f"{opened.path} has {size} bytes, but manifests of {self.name} say "
                    f"{' or '.join(map(str, sorted(sizes)))}: copy it again"
                )
        is_current = self._make_validator(f"blobs/{digest}", opened, snapshot)
        return Content(
            load_small(opened.file, size),
            size,
            digest,
            OCTET_STREAM,
            is_current,
            self.by_namespace,
            opened.status.st_mtime,
        )

    def list_tags(self) -> list[str]:
        """See ``IRepository``."""
        with self._translated_errors(), self._directory.scan() as (_, entries):
            return sorted(entry.name for entry in entries if self._directory.is_tag(entry))

    def list_referrers(self, digest: Digest) -> list[Descriptor]:
        """See ``IRepository``."""
        listed = self._snapshot().index.referrers.get(digest, ())
        referrers = {referrer.digest: referrer for referrer in listed}
        for parsed in self._listed_by_fallback_tag(digest):
            subject = parsed.manifest.subject
            if subject is not None and subject.digest == digest:
                referrers[parsed.digest] = describe(parsed)
        return [referrers[referrer] for referrer in sorted(referrers)]

    def measure_blob(self, digest: Digest) -> int | None:
        """See ``IRepository``."""
        return self._directory.measure_blob(digest)

    def open_known_blob(self, digest: Digest) -> BinaryIO:
        """See ``IRepository``."""
        return self._open_blob_file(digest).file

    def summarize(self) -> RepositorySummary:
        """See ``IRepository``."""
        # Loaded lazily: only the pages for people need it.
        from minreg.store.summary import check_size_limit, summarize_repository  # noqa: PLC0415

        with self._translated_errors():
            check_size_limit(self._directory)
            index = self._snapshot().index
            return summarize_repository(self._directory, index, self.list_tags())

    def _open_blob_file(self, digest: Digest) -> OpenedFile:
        try:
            return self._directory.open(f"blobs/{digest}")
        except FileNotFoundError:
            raise ContentNotFound(f"blob {digest} is not in this repository") from None

    def _with_platform(self, error: ContentNotFound, digest: Digest) -> ContentNotFound:
        """Return an error that names the platform of a missing layer, or the same one.

        The manifests of platforms whose layers are not stored are served, too.
        """
        if not self._directory.exists(METADATA):
            return error
        index = self._snapshot().index
        stored_elsewhere = (child for child in index.platforms if child not in index.paths)
        for child in islice(stored_elsewhere, _MOST_PLATFORMS):
            parsed = self._directory.read_if_valid(f"{METADATA}/{child}")
            layers = () if parsed is None else parsed.manifest.layers
            if any(layer.digest == digest for layer in layers):
                platform = index.platforms[child]
                return ContentNotFound(
                    f"blob {digest} for {platform} is not in repository {self.name}: only the "
                    "manifest and the config of that platform were stored",
                    platform,
                )
        return error

    def _open_tag(self, tag: str) -> Content:
        try:
            opened = self._directory.open(f"manifests/{tag}")
        except FileNotFoundError:
            return self._open_tag_elsewhere(tag)
        return self._as_content(opened, f"manifests/{tag}", digest_in_name(opened.path))

    def _open_tag_elsewhere(self, tag: str) -> Content:
        """Open the target of a link that points to nothing, or the list of a fallback tag.

        K3s' air-gap script links a tag to a manifest in ``manifests`` that it stores in
        ``blobs``.
        """
        digest = self._directory.digest_linked_by(tag)
        if digest is not None:
            return self._open_linked(tag, digest)
        index = self._snapshot().index
        subject = subject_of_fallback_tag(tag, index.referrers)
        if subject is not None:
            return self._open_referrers(index, subject)
        raise ContentNotFound(f"tag {tag} is not in repository {self.name}")

    def _open_linked(self, tag: str, digest: Digest) -> Content:
        try:
            return self._open_digest(digest, self._snapshot())
        except ContentNotFound as error:
            raise ContentInvalid(
                f"tag {tag} of {self.name} links to {digest}, and that is missing ({error}): "
                "copy the image again"
            ) from None

    def _open_digest(self, digest: Digest, snapshot: IndexSnapshot | None = None) -> Content:
        path = f"manifests/{digest}"
        try:
            opened = self._directory.open(path)
        except FileNotFoundError:
            return self._open_digest_elsewhere(digest, snapshot or self._snapshot())
        return self._as_content(opened, path, digest, snapshot)

    def _open_digest_elsewhere(self, digest: Digest, snapshot: IndexSnapshot) -> Content:
        """Open a manifest that is stored under its tag, among the blobs, or without its layers.

        Raises:
            ContentNotFound: It is not there either.
        """
        index = snapshot.index
        path = index.paths.get(digest, f"blobs/{digest}")
        opened = self._open_indexed(index, digest)
        if opened is None:
            path = f"blobs/{digest}"
            opened = self._directory.open_manifest_in_blobs(digest)
        if opened is not None:
            return self._as_content(opened, path, digest, snapshot)
        path = f"{METADATA}/{digest}"
        opened = self._open_if_exists(path)
        if opened is not None:
            content = self._as_content(opened, path, digest, snapshot)
            return attrs.evolve(content, is_metadata=True)
        subject = index.referrers_indexes.get(digest)
        if subject is not None:
            return self._open_referrers(index, subject)
        platform = index.platforms.get(digest)
        if platform is None:
            raise ContentNotFound(f"manifest {digest} is not in repository {self.name}")
        raise ContentNotFound(
            f"manifest {digest} for {platform} is not in repository {self.name}: "
            "the index names it, but that platform was not stored",
            platform,
        )

    def _open_indexed(self, index: RepositoryIndex, digest: Digest) -> OpenedFile | None:
        path = index.paths.get(digest)
        return None if path is None else self._open_if_exists(path)

    def _open_if_exists(self, path: str) -> OpenedFile | None:
        try:
            return self._directory.open(path)
        except FileNotFoundError:
            return None

    def _as_content(
        self,
        opened: OpenedFile,
        path: str,
        digest: Digest | None,
        snapshot: IndexSnapshot | None = None,
    ) -> Content:
        """Return an opened manifest as content.

        Args:
            opened: The manifest.
            path: Its path in the repository.
            digest: The digest that it should have, if that is known.
            snapshot: The index that led to it, if one did.
        """
        with opened.closed_on_failure():
            parsed = self._directory.read(opened, digest)
            media_type = parsed.manifest.media_type
            if not parsed.manifest.states_media_type:
                snapshot = snapshot or self._snapshot()
                media_type = snapshot.index.media_types.get(parsed.digest, media_type)
            is_current = self._make_validator(path, opened, snapshot)
            return Content(
                load_small(opened.file, parsed.size),
                parsed.size,
                parsed.digest,
                media_type,
                is_current,
                self.by_namespace,
                opened.status.st_mtime,
            )

    def _make_validator(
        self, path: str, opened: OpenedFile, snapshot: IndexSnapshot | None
    ) -> Callable[[], bool] | None:
        """Return the function that returns whether a file, and what led to it, are unchanged."""
        if self._dependencies is None:
            return None
        statuses = {path: opened.status}
        fingerprints: Mapping[str, Fingerprint | None] | None = {}
        if snapshot is not None:
            statuses["manifests"] = snapshot.status
            fingerprints = snapshot.fingerprints
        return self._dependencies.make_validator(self.name, statuses, fingerprints)

    def _listed_by_fallback_tag(self, digest: Digest) -> Iterator[ParsedManifest]:
        """Yield the manifests that a fallback tag lists and that are stored in ``blobs``."""
        try:
            with self._open_tag(fallback_tag(digest)).file as file:
                index = parse_manifest(file.read())
        except (ContentNotFound, ManifestInvalid):
            return
        for child in index.manifests:
            parsed = self._directory.read_if_valid(f"blobs/{child.digest}")
            if parsed is not None:
                yield parsed

    def _snapshot(self) -> IndexSnapshot:
        with self._translated_errors():
            return self._indexes.get(self._directory)

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Raise ``RepositoryNotFound`` if the repository was removed after the lookup."""
        try:
            yield
        except FileNotFoundError:
            raise RepositoryNotFound(self.name) from None

    def _open_referrers(self, index: RepositoryIndex, subject: Digest) -> Content:
        """Return the index that lists the referrers of a manifest, made in memory."""
        content = referrers_index(index.referrers[subject])
        return Content(
            BytesIO(content),
            len(content),
            Digest.of(content),
            OCI_INDEX,
            by_namespace=self.by_namespace,
        )


def load_small(file: BinaryIO, size: int) -> BinaryIO:
    """Return small content as a file in memory, and close the file it was read from.

    A large file, or one that cannot be read, is returned itself: sending it reports the error.
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
