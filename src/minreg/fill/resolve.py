"""Resolves an image to the manifests, blobs and tags that it consists of.

Manifests that the tree has are read from it, and the others are downloaded. Blobs are not.
"""

from collections.abc import Iterator, Mapping

import attrs

from minreg.fill.errors import UpstreamRefused
from minreg.fill.platforms import select_children
from minreg.fill.tree.layout import parse_repository_path
from minreg.fill.tree.reader import TreeReader
from minreg.fill.upstream.registry import MAX_MANIFEST, FetchedManifest, Upstream, Upstreams
from minreg.oci.manifests import Descriptor, Manifest, parse_manifest
from minreg.oci.names import Digest, ImageReference
from minreg.oci.platforms import Platform
from minreg.text import format_size, name_some

MAX_DEPTH = 4
"""Levels of indexes within indexes, and of referrers of referrers."""

MAX_MANIFESTS = 1000
"""Manifests of one image, and of its optional parts."""

# The manifests of all images are in memory until the blobs are there, so each image is limited.
MAX_BYTES = 2 * MAX_MANIFEST
"""Bytes of the manifests of one image, and of its optional parts."""

_NOT_DISTRIBUTED = (
    "the registry does not have its layers, and need not: they are not distributable, as is usual "
    "for Windows; choose another platform"
)


@attrs.frozen
class Selection:
    """Which parts of an image to download, and how to name its repository in the tree.

    ``platforms`` is empty for all. If ``trimmed``, the name of the repository is without the
    registry's host. ``attestations`` are BuildKit's, ``referrers`` include signatures.
    ``metadata`` are the manifests and configs of the platforms that are not selected.
    """

    platforms: tuple[Platform, ...] = ()
    trimmed: bool = True
    attestations: bool = False
    referrers: bool = False
    metadata: bool = False


@attrs.frozen
class OptionalPart:
    """Manifests with their blobs and tags, without which an image is complete, too.

    They are all written, or none of them. ``manifests`` are in the order to write them. ``name``
    describes the part in a message. If ``is_metadata``, the manifests are of platforms whose
    layers are not downloaded.
    """

    name: str
    manifests: tuple[FetchedManifest, ...]
    blobs: tuple[Descriptor, ...]
    tags: tuple[tuple[str, Digest], ...] = ()
    is_metadata: bool = False


@attrs.frozen
class ResolvedImage:
    """An image, and all that the tree must have before the image may be tagged.

    ``repository_path`` is the path of its repository below the root. ``manifests`` are in the
    order to write them: each after those that it names. ``tags`` are set in their order.
    ``undistributed`` are the images of its indexes that lack layers which registries need not
    have. ``notes`` say what cannot be downloaded of its optional parts, and why.
    """

    reference: ImageReference
    repository_path: str
    upstream: Upstream
    root: Digest
    manifests: tuple[FetchedManifest, ...]
    tags: tuple[tuple[str, Digest], ...]
    undistributed: tuple[Descriptor, ...] = ()
    optional: tuple[OptionalPart, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def required_blobs(self) -> Mapping[Digest, Descriptor]:
        """The configs and layers of ``manifests``."""
        return {blob.digest: blob for fetched in self.manifests for blob in fetched.manifest.blobs}

    @property
    def blobs(self) -> Iterator[Descriptor]:
        """The configs and layers, each once, those of the optional parts last."""
        blobs = dict(self.required_blobs)
        for part in self.optional:
            for blob in part.blobs:
                blobs.setdefault(blob.digest, blob)
        yield from blobs.values()


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
        self._path = repository_path
        self._upstream = upstream
        self._contents = contents
        self._selection = selection
        self._manifests: dict[Digest, FetchedManifest] = {}
        self._size = 0
        self._undistributed: dict[Digest, Descriptor] = {}

    def run(self) -> ResolvedImage:
        try:
            root = self._read_root()
        except UpstreamRefused as error:
            if error.status == 404 and self._reference.digest is None:
                raise self._with_other_tags(error) from None
            raise
        if not root.manifest.is_index and self._lacks_layers(root.manifest):
            raise UpstreamRefused(f"{self._reference}: {_NOT_DISTRIBUTED}")
        self._add(root, MAX_DEPTH)
        tag = self._reference.tag
        return ResolvedImage(
            self._reference,
            self._path,
            self._upstream,
            root.digest,
            tuple(self._manifests.values()),
            ((tag, root.digest),) if tag else (),
            tuple(self._undistributed.values()),
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
        if self._contents.read_manifest(self._path, tag) is not None:
            digest = self._upstream.find_digest(self._reference.repository, tag)
            if digest is not None:
                return self._read(digest)
        return self._upstream.read_manifest(self._reference.repository, tag)

    def _read(self, digest: Digest) -> FetchedManifest:
        return read_manifest(self._contents, self._upstream, self._reference, self._path, digest)

    def _add(self, fetched: FetchedManifest, depth: int) -> None:
        """Add a manifest, after those that it names; ``depth`` is how many levels may follow."""
        if fetched.digest in self._manifests:
            return
        if len(self._manifests) >= MAX_MANIFESTS:
            raise UpstreamRefused(f"{self._reference} has more than {MAX_MANIFESTS} manifests")
        self._size += len(fetched.content)
        if self._size > MAX_BYTES:
            limit = format_size(MAX_BYTES)
            raise UpstreamRefused(f"{self._reference} has more than {limit} of manifests")
        self._add_children(fetched.manifest, depth)
        self._manifests[fetched.digest] = fetched

    def _add_children(self, index: Manifest, depth: int) -> None:
        children = self._select_children(index)
        for child in children:
            if depth == 0:
                raise UpstreamRefused(
                    f"{self._reference} has indexes nested more than {MAX_DEPTH} levels deep"
                )
            fetched = self._read(child.digest)
            if self._lacks_layers(fetched.manifest):
                self._undistributed[child.digest] = child
            else:
                self._add(fetched, depth - 1)
        if children and all(child.digest in self._undistributed for child in children):
            names = ", ".join(str(child.platform or child.digest) for child in children)
            raise UpstreamRefused(f"{self._reference} for {names}: {_NOT_DISTRIBUTED}")

    def _lacks_layers(self, manifest: Manifest) -> bool:
        """Return whether neither tree nor registry has a layer that registries need not have."""
        return any(
            blob.is_nondistributable
            and not self._contents.has_blob(self._path, blob.digest, blob.size)
            and not self._upstream.has_blob(self._reference.repository, blob.digest)
            for blob in manifest.layers
        )

    def _select_children(self, manifest: Manifest) -> list[Descriptor]:
        selection = self._selection
        try:
            return select_children(
                manifest, selection.platforms, attestations=selection.attestations
            )
        except UpstreamRefused as error:
            raise UpstreamRefused(f"{self._reference}: {error}") from None


def read_manifest(
    contents: TreeReader,
    upstream: Upstream,
    reference: ImageReference,
    repository_path: str,
    digest: Digest,
) -> FetchedManifest:
    """Return a manifest of an image's repository, from the tree if that has it.

    Raises:
        UpstreamRefused, UpstreamUnavailable, ContentMismatch: It cannot be downloaded.
    """
    existing = contents.read_manifest(repository_path, digest, with_metadata=True)
    if existing is not None:
        return FetchedManifest(digest, existing[1], parse_manifest(existing[1]))
    return upstream.read_manifest(reference.repository, digest)
