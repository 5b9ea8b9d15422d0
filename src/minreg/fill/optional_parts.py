"""Finds the optional parts of an image: metadata of other platforms, and referrers.

These are looked up when the required manifests of all images are known. So if a registry limits
the number of requests, as Docker Hub does, these are what is left out. An image is complete
without them: what cannot be had of them becomes a note, and never an error.

``ctr images pull`` of containerd 2 requests the manifests and configs of all platforms, and the
layers of one. Signatures of cosign are referrers of the image since version 3, and were tags.
"""

from collections.abc import Callable, Iterator
from functools import partial

import attrs

from minreg.fill.errors import ContentMismatch, UpstreamRefused, UpstreamUnavailable
from minreg.fill.resolve import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_MANIFESTS,
    OptionalPart,
    ResolvedImage,
    Selection,
    read_manifest,
)
from minreg.fill.tree.reader import TreeReader
from minreg.fill.upstream.registry import FetchedManifest, Upstream
from minreg.oci.manifests import Descriptor
from minreg.oci.names import Digest
from minreg.store.index import fallback_tag
from minreg.text import name_some

# The suffixes of cosign's tags for signatures, attestations and bills of materials.
_SIGNATURE_TAGS = ("sig", "att", "sbom")


_TOO_MANY = "there are too many of them"


class _TooManyManifests(Exception):
    """The optional parts have more manifests than are downloaded."""


class OptionalParts:
    """Finds the optional parts of images, in any thread.

    Args:
        contents: The tree that may have some of the manifests.
        selection: Which of these parts to find.
    """

    def __init__(self, contents: TreeReader, selection: Selection) -> None:
        self._contents = contents
        self._selection = selection
        self._failures: dict[tuple[Upstream, str], str] = {}

    def add(self, image: ResolvedImage) -> ResolvedImage:
        """Return an image with its optional parts.

        Raises:
            Stopped: The work was stopped.
        """
        return _PartSearch(image, self._contents, self._selection, self._failures).run()


class _PartSearch:
    """The search for the optional parts of one image.

    ``failures`` has the upstreams that were not available for a kind of part, and is shared by
    all searches: each would wait for all retries again.
    """

    def __init__(
        self,
        image: ResolvedImage,
        contents: TreeReader,
        selection: Selection,
        failures: dict[tuple[Upstream, str], str],
    ) -> None:
        self._image = image
        self._upstream = image.upstream
        self._repository = image.reference.repository
        self._contents = contents
        self._selection = selection
        self._failures = failures
        self._known = {fetched.digest for fetched in image.manifests}
        self._subjects: set[Digest] = set()
        self._sizes = {digest: blob.size for digest, blob in image.required_blobs.items()}
        self._size = 0
        self._read_manifests: dict[Digest, FetchedManifest] = {}
        self._parts: list[OptionalPart] = []
        self._lost: dict[str, list[str]] = {}

    def run(self) -> ResolvedImage:
        try:
            self._add_all()
        except _TooManyManifests:
            self._lost[_TOO_MANY] = ["some of its metadata and referrers"]
        return attrs.evolve(
            self._image, optional=tuple(self._parts), notes=tuple(self._list_notes())
        )

    def _add_all(self) -> None:
        undistributed = {child.digest for child in self._image.undistributed}
        for fetched in self._image.manifests:
            for child in fetched.manifest.manifests:
                if self._selection.metadata or child.digest in undistributed:
                    self._add_metadata(child, MAX_DEPTH)
        if self._selection.referrers:
            for fetched in self._image.manifests:
                self._add_referrers(fetched.digest, MAX_DEPTH)

    def _list_notes(self) -> Iterator[str]:
        if self._image.undistributed:
            names = ", ".join(
                str(child.platform or child.digest) for child in self._image.undistributed
            )
            yield f"not here: {names} (the registry does not distribute its layers)"
        for reason, names_of_parts in self._lost.items():
            yield f"without {name_some(names_of_parts, '')} ({reason})"

    def _attempt(self, kind: str, name: str, action: Callable[[], None]) -> None:
        """Run ``action``, and note the part ``name`` as lost if it cannot be had."""
        key = (self._upstream, kind)
        reason = self._failures.get(key, "")
        if not reason:
            try:
                action()
            except UpstreamUnavailable as error:
                reason = self._failures[key] = str(error)
            except (UpstreamRefused, ContentMismatch) as error:
                reason = str(error)
        if reason:
            self._lost.setdefault(reason, []).append(name)

    def _add_metadata(self, child: Descriptor, depth: int) -> None:
        """Add the manifest and the config of a platform, or all those of a nested index."""
        if child.digest in self._known or not child.is_manifest:
            return
        kind = "an attestation" if child.is_attestation else child.platform or child.digest
        name = f"the metadata of {kind}"

        def add() -> None:
            fetched = self._read(child.digest)
            config = fetched.manifest.config
            blobs = () if config is None else (config,)
            self._add_part(OptionalPart(name, (fetched,), blobs, is_metadata=True))
            for grandchild in fetched.manifest.manifests if depth else ():
                self._add_metadata(grandchild, depth - 1)

        self._attempt("metadata", name, add)

    def _add_referrers(self, subject: Digest, depth: int) -> None:
        """Add the referrers of a manifest, and the referrers of these.

        They are listed by the registry, or under a tag made of the subject's digest (OCI
        distribution-spec, "Referrers Tag Schema"). cosign has tags of its own for images.
        """
        if subject in self._subjects:
            return
        self._subjects.add(subject)
        tag = fallback_tag(subject)

        def add() -> None:
            listed = self._upstream.list_referrers(self._repository, subject)
            tagged = self._read_tag(tag) if listed is None else None
            if tagged is not None:
                listed = tagged.manifest.manifests
            for referrer in listed or ():
                self._add_referrer(referrer, depth)
            self._attempt("referrers", f"its tag {tag}", partial(self._add_tag, tag, tagged))

        self._attempt("referrers", "its referrers", add)
        for suffix in _SIGNATURE_TAGS if depth == MAX_DEPTH else ():
            name = f"{tag}.{suffix}"
            self._attempt("referrers", f"its tag {name}", partial(self._add_tag_if_exists, name))

    def _add_referrer(self, referrer: Descriptor, depth: int) -> None:
        name = f"its referrer {referrer.artifact_type or referrer.digest}"

        def add() -> None:
            if referrer.digest not in self._known:
                self._add_closure(name, self._read(referrer.digest))
            if depth > 0:
                self._add_referrers(referrer.digest, depth - 1)

        self._attempt("referrers", name, add)

    def _add_tag_if_exists(self, tag: str) -> None:
        self._add_tag(tag, self._read_tag(tag))

    def _read_tag(self, tag: str) -> FetchedManifest | None:
        """Return what a tag names; None if there is no such tag.

        Registries limit GET requests for manifests, and most of these tags do not exist: so a
        HEAD request comes first.
        """
        try:
            digest = self._upstream.find_digest(self._repository, tag)
            if digest is not None:
                return self._read(digest)
            return self._upstream.read_manifest(self._repository, tag)
        except UpstreamRefused as error:
            if error.status == 404:
                return None
            raise

    def _add_tag(self, tag: str, fetched: FetchedManifest | None) -> None:
        if fetched is not None:
            self._add_closure(f"its tag {tag}", fetched, (tag, fetched.digest))

    def _add_closure(self, name: str, fetched: FetchedManifest, *tags: tuple[str, Digest]) -> None:
        """Add a manifest with all that it names as one part."""
        manifests: dict[Digest, FetchedManifest] = {}
        self._collect(fetched, manifests, MAX_DEPTH)
        blobs = {blob.digest: blob for each in manifests.values() for blob in each.manifest.blobs}
        part = OptionalPart(name, tuple(manifests.values()), tuple(blobs.values()), tags)
        self._add_part(part)

    def _collect(
        self, fetched: FetchedManifest, manifests: dict[Digest, FetchedManifest], depth: int
    ) -> None:
        """Add a manifest to ``manifests``, after those that it names."""
        for child in fetched.manifest.manifests:
            if child.digest not in manifests:
                if depth == 0:
                    raise UpstreamRefused(f"its indexes are nested more than {MAX_DEPTH} levels")
                self._collect(self._read(child.digest), manifests, depth - 1)
        manifests[fetched.digest] = fetched

    def _add_part(self, part: OptionalPart) -> None:
        """Add a part, unless it contradicts the others about the size of a blob."""
        for blob in part.blobs:
            if self._sizes.setdefault(blob.digest, blob.size) != blob.size:
                raise UpstreamRefused(f"two sizes are stated for blob {blob.digest}")
        self._known.update(fetched.digest for fetched in part.manifests)
        self._parts.append(part)

    def _read(self, digest: Digest) -> FetchedManifest:
        if digest in self._read_manifests:
            return self._read_manifests[digest]
        if len(self._read_manifests) >= MAX_MANIFESTS:
            raise _TooManyManifests
        image = self._image
        fetched = read_manifest(
            self._contents, image.upstream, image.reference, image.repository_path, digest
        )
        self._read_manifests[digest] = fetched
        self._size += len(fetched.content)
        if self._size > MAX_BYTES:
            raise _TooManyManifests
        return fetched
