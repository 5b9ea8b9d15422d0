"""Resolves an image to the manifests, blobs and tags that it consists of.

Manifests that the tree has are read from it, and the others are downloaded. Blobs are not.
"""

from collections.abc import Iterator

import attrs

from minreg.fill.errors import UpstreamRefused
from minreg.fill.platforms import select_children
from minreg.fill.tree.layout import parse_repository_path
from minreg.fill.tree.reader import TreeReader
from minreg.fill.upstream.registry import MAX_MANIFEST, FetchedManifest, Upstream, Upstreams
from minreg.oci.manifests import Descriptor, Manifest, parse_manifest
from minreg.oci.names import Digest, ImageReference
from minreg.oci.platforms import Platform
from minreg.store.index import fallback_tag
from minreg.text import format_size, name_some

_MAX_DEPTH = 4
_MAX_MANIFESTS = 1000
# The manifests of all images are in memory until the blobs are there, so each image is limited.
_MAX_BYTES = 2 * MAX_MANIFEST
# The suffixes of cosign's tags for signatures, attestations and bills of materials.
_SIGNATURE_TAGS = ("sig", "att", "sbom")


@attrs.frozen
class Selection:
    """Which parts of an image to download, and how to name its repository in the tree.

    ``platforms`` is empty for all. If ``trimmed``, the name of the repository is without the
    registry's host. ``attestations`` are BuildKit's, ``referrers`` include signatures.
    """

    platforms: tuple[Platform, ...] = ()
    trimmed: bool = True
    attestations: bool = False
    referrers: bool = False


@attrs.frozen
class ResolvedImage:
    """An image, and all that the tree must have before the image may be tagged.

    ``repository_path`` is the path of its repository below the root. ``manifests`` are in the
    order to write them: each after those that it names. ``tags`` are set in their order.
    """

    reference: ImageReference
    repository_path: str
    upstream: Upstream
    root: Digest
    manifests: tuple[FetchedManifest, ...]
    tags: tuple[tuple[str, Digest], ...]

    @property
    def blobs(self) -> Iterator[Descriptor]:
        """The configs and layers, each once."""
        digests = set()
        for fetched in self.manifests:
            for blob in fetched.manifest.blobs:
                if blob.digest not in digests:
                    digests.add(blob.digest)
                    yield blob


class Resolver:
    """Resolves images, in any thread.

    Args:
        upstreams: The registries.
        contents: The tree that may have some of the manifests.
        selection: Which parts of an image to resolve.
    """

    def __init__(self, upstreams: Upstreams, contents: TreeReader, selection: Selection) -> None:
        self._upstreams = upstreams
        self._contents = contents
        self._selection = selection

    def resolve(self, reference: ImageReference) -> ResolvedImage:
        """Return what an image consists of.

        Raises:
            NameInvalid: Its repository cannot have this name in a tree.
            UpstreamRefused: The registry does not have it or refuses it, or it is too large.
            UpstreamUnavailable, ContentMismatch: The requests failed too often.
        """
        path = parse_repository_path(reference.repository_path(trimmed=self._selection.trimmed))
        upstream = self._upstreams.find(reference.address)
        return _Resolution(reference, path, upstream, self._contents, self._selection).run()


class _Resolution:
    """The state of the resolution of one image."""

    def __init__(
        self,
        reference: ImageReference,
        repository_path: str,
        upstream: Upstream,
        contents: TreeReader,
        selection: Selection,
    ) -> None:
        self._reference = reference
        self._repository_path = repository_path
        self._upstream = upstream
        self._contents = contents
        self._selection = selection
        self._manifests: dict[Digest, FetchedManifest] = {}
        self._size = 0
        self._tags: list[tuple[str, Digest]] = []

    def run(self) -> ResolvedImage:
        try:
            root = self._read_root()
        except UpstreamRefused as error:
            if error.status == 404 and self._reference.digest is None:
                raise self._with_other_tags(error) from None
            raise
        self._add(root, _MAX_DEPTH)
        if self._selection.referrers:
            for digest in list(self._manifests):
                self._add_referrers(digest, _MAX_DEPTH)
        if self._reference.tag:
            self._tags.append((self._reference.tag, root.digest))
        return ResolvedImage(
            self._reference,
            self._repository_path,
            self._upstream,
            root.digest,
            tuple(self._manifests.values()),
            tuple(self._tags),
        )

    def _with_other_tags(self, error: UpstreamRefused) -> UpstreamRefused:
        """Return an error that names some existing tags, or the same one if none are listed."""
        reference = self._reference
        tags = self._upstream.list_tags(reference.repository)
        if reference.tag in tags or not tags:
            return error
        return UpstreamRefused(
            f"{reference.address}/{reference.repository} has no tag {reference.tag}: "
            f"it has {name_some(tags, reference.tag)}",
            404,
        )

    def _read_root(self) -> FetchedManifest:
        """Return the manifest or index that the image's tag or digest names.

        Registries such as Docker Hub limit the GET requests for manifests, but not the HEAD
        requests. So if the tree has the tag, a HEAD request shows whether it is still the same.
        """
        if self._reference.digest is not None:
            return self._read(self._reference.digest)
        tag = self._reference.tag
        if self._contents.read_manifest(self._repository_path, tag) is not None:
            digest = self._upstream.find_digest(self._reference.repository, tag)
            if digest is not None:
                return self._read(digest)
        return self._upstream.read_manifest(self._reference.repository, tag)

    def _read(self, digest: Digest) -> FetchedManifest:
        existing = self._contents.read_manifest(self._repository_path, digest)
        if existing is not None:
            return FetchedManifest(digest, existing[1], parse_manifest(existing[1]))
        return self._upstream.read_manifest(self._reference.repository, digest)

    def _add(self, fetched: FetchedManifest, depth: int) -> None:
        """Add a manifest, after those that it names; ``depth`` is how many levels may follow."""
        if fetched.digest in self._manifests:
            return
        if len(self._manifests) >= _MAX_MANIFESTS:
            raise UpstreamRefused(f"{self._reference} has more than {_MAX_MANIFESTS} manifests")
        self._size += len(fetched.content)
        if self._size > _MAX_BYTES:
            limit = format_size(_MAX_BYTES)
            raise UpstreamRefused(f"{self._reference} has more than {limit} of manifests")
        for child in self._select_children(fetched.manifest):
            if depth == 0:
                raise UpstreamRefused(
                    f"{self._reference} has indexes nested more than {_MAX_DEPTH} levels deep"
                )
            self._add(self._read(child.digest), depth - 1)
        self._manifests[fetched.digest] = fetched

    def _select_children(self, manifest: Manifest) -> list[Descriptor]:
        selection = self._selection
        try:
            return select_children(
                manifest, selection.platforms, attestations=selection.attestations
            )
        except UpstreamRefused as error:
            raise UpstreamRefused(f"{self._reference}: {error}") from None

    def _add_referrers(self, subject: Digest, depth: int) -> None:
        """Add the referrers of a manifest, and the referrers of these.

        They are listed by the registry, or under a tag made of the subject's digest (OCI
        distribution-spec, "Referrers Tag Schema"). cosign has tags of its own.
        """
        referrers = self._upstream.list_referrers(self._reference.repository, subject)
        if referrers is None:
            referrers = self._add_tag(fallback_tag(subject))
        for suffix in _SIGNATURE_TAGS:
            self._add_tag(f"{fallback_tag(subject)}.{suffix}")
        for referrer in referrers.manifest.manifests if referrers is not None else ():
            if referrer.digest not in self._manifests and depth > 0:
                self._add(self._read(referrer.digest), depth - 1)
                self._add_referrers(referrer.digest, depth - 1)

    def _add_tag(self, tag: str) -> FetchedManifest | None:
        """Add a tag and its manifest, and return the manifest; None if there is no such tag."""
        try:
            fetched = self._upstream.read_manifest(self._reference.repository, tag)
        except UpstreamRefused as error:
            if error.status == 404:
                return None
            raise
        self._add(fetched, _MAX_DEPTH)
        self._tags.append((tag, fetched.digest))
        return fetched
