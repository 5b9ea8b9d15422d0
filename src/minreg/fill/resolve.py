"""Finds out what makes up an image: its index, manifests, blobs, and what refers to it.

What the tree holds of it is read there; of the rest, only manifests are fetched here.
"""

from collections.abc import Iterator

import attrs

from minreg.fill.errors import UpstreamRefused
from minreg.fill.platforms import select_children
from minreg.fill.tree.layout import parse_place
from minreg.fill.tree.reader import TreeReader
from minreg.fill.upstream.registry import LARGEST_MANIFEST, FetchedManifest, Upstream, Upstreams
from minreg.oci.manifests import Descriptor, Manifest, parse_manifest
from minreg.oci.names import Digest, ImageReference
from minreg.oci.platforms import Platform
from minreg.store.index import fallback_tag
from minreg.text import format_size, name_some

_DEEPEST = 4
_MOST_DOCUMENTS = 1000
# They are kept in memory until the blobs have come, those of all images.
_MOST_BYTES = 2 * LARGEST_MANIFEST
_SIGNATURE_TAGS = ("sig", "att", "sbom")


@attrs.frozen
class Selection:
    """What is wanted of an image, and where it is to lie.

    ``platforms`` is empty for all; ``trimmed`` leaves the host out of the place.
    """

    platforms: tuple[Platform, ...] = ()
    trimmed: bool = True
    attestations: bool = False
    referrers: bool = False


@attrs.frozen
class ResolvedImage:
    """An image, with all that must be in the tree before it may be tagged.

    ``documents`` has children before parents; ``tags`` are to be set in their order.
    """

    image: ImageReference
    place: str
    upstream: Upstream
    root: Digest
    documents: tuple[FetchedManifest, ...]
    tags: tuple[tuple[str, Digest], ...]

    @property
    def blobs(self) -> Iterator[Descriptor]:
        """The configs and layers, each once."""
        known = set()
        for document in self.documents:
            for blob in document.manifest.blobs:
                if blob.digest not in known:
                    known.add(blob.digest)
                    yield blob


class Resolver:
    """Resolves images, from any thread."""

    def __init__(self, upstreams: Upstreams, contents: TreeReader, selection: Selection) -> None:
        self._upstreams = upstreams
        self._contents = contents
        self._selection = selection

    def resolve(self, image: ImageReference) -> ResolvedImage:
        """Find out what makes up an image.

        Raises:
            NameInvalid: A tree has no room for its name.
            UpstreamRefused, UpstreamUnavailable, ContentMismatch: It cannot be had.
        """
        place = parse_place(image.place(trimmed=self._selection.trimmed))
        upstream = self._upstreams.find(image.address)
        resolution = _Resolution(image, place, upstream, self._contents, self._selection)
        return resolution.run()


class _Resolution:
    """The resolving of one image."""

    def __init__(
        self,
        image: ImageReference,
        place: str,
        upstream: Upstream,
        contents: TreeReader,
        selection: Selection,
    ) -> None:
        self._image = image
        self._place = place
        self._upstream = upstream
        self._contents = contents
        self._selection = selection
        self._documents: dict[Digest, FetchedManifest] = {}
        self._bytes = 0
        self._tags: list[tuple[str, Digest]] = []

    def run(self) -> ResolvedImage:
        try:
            root = self._read_root()
        except UpstreamRefused as refusal:
            if refusal.status == 404 and self._image.digest is None:
                raise self._unknown_tag(refusal) from None
            raise
        self._add(root, _DEEPEST)
        if self._selection.referrers:
            for digest in list(self._documents):
                self._add_what_refers_to(digest, _DEEPEST)
        if self._image.tag:
            self._tags.append((self._image.tag, root.digest))
        return ResolvedImage(
            self._image,
            self._place,
            self._upstream,
            root.digest,
            tuple(self._documents.values()),
            tuple(self._tags),
        )

    def _unknown_tag(self, refusal: UpstreamRefused) -> UpstreamRefused:
        """Name some of the tags that there are, if the registry tells them."""
        tags = self._upstream.list_tags(self._image.repository)
        name, tag = f"{self._image.address}/{self._image.repository}", self._image.tag
        if tag in tags or not tags:
            return refusal
        return UpstreamRefused(f"{name} has no tag {tag}: it has {name_some(tags, tag)}", 404)

    def _read_root(self) -> FetchedManifest:
        """Read what the image's name stands for, without a GET where the tree has it.

        GETs of manifests are what upstreams count, HEADs are free.
        """
        if self._image.digest is not None:
            return self._read(self._image.digest)
        tag = self._image.tag
        if self._contents.read_manifest(self._place, tag) is not None:
            digest = self._upstream.find_digest(self._image.repository, tag)
            if digest is not None:
                return self._read(digest)
        return self._upstream.read_manifest(self._image.repository, tag)

    def _read(self, digest: Digest) -> FetchedManifest:
        known = self._contents.read_manifest(self._place, digest)
        if known is not None:
            return FetchedManifest(digest, known[1], parse_manifest(known[1]))
        return self._upstream.read_manifest(self._image.repository, digest)

    def _add(self, document: FetchedManifest, depth: int) -> None:
        """Add a document, and before it what it is made of."""
        if document.digest in self._documents:
            return
        if len(self._documents) >= _MOST_DOCUMENTS:
            raise UpstreamRefused(f"{self._image} has more than {_MOST_DOCUMENTS} manifests")
        self._bytes += len(document.content)
        if self._bytes > _MOST_BYTES:
            most = format_size(_MOST_BYTES)
            raise UpstreamRefused(f"{self._image} has more than {most} of manifests")
        for child in self._children(document.manifest):
            if depth == 0:
                raise UpstreamRefused(f"{self._image} has indexes within indexes without end")
            self._add(self._read(child.digest), depth - 1)
        self._documents[document.digest] = document

    def _children(self, manifest: Manifest) -> list[Descriptor]:
        selection = self._selection
        try:
            return select_children(
                manifest, selection.platforms, attestations=selection.attestations
            )
        except UpstreamRefused as failure:
            raise UpstreamRefused(f"{self._image}: {failure}") from None

    def _add_what_refers_to(self, subject: Digest, depth: int) -> None:
        """Add referrers, those of the referrers, and what is tagged in place of them."""
        listed = self._upstream.list_referrers(self._image.repository, subject)
        if listed is None:
            listed = self._add_tagged(fallback_tag(subject))
        for suffix in _SIGNATURE_TAGS:
            self._add_tagged(f"{fallback_tag(subject)}.{suffix}")
        for referrer in listed.manifest.manifests if listed is not None else ():
            if referrer.digest not in self._documents and depth > 0:
                self._add(self._read(referrer.digest), depth - 1)
                self._add_what_refers_to(referrer.digest, depth - 1)

    def _add_tagged(self, tag: str) -> FetchedManifest | None:
        """Add what a tag names, if there is such a tag."""
        try:
            document = self._upstream.read_manifest(self._image.repository, tag)
        except UpstreamRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        self._add(document, _DEEPEST)
        self._tags.append((tag, document.digest))
        return document
