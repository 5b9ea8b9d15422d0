"""Blobs that a tree lacks, and what each image says of them.

Only bytes that hash to the digest are the blob, so one image's word on where it is, or how
large, is never taken for another's: each is tried until one turns out to be right.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import attrs

from minreg.fill.errors import FillError
from minreg.fill.resolve import ResolvedImage
from minreg.fill.tree.provenance import Provenance, provenance_of
from minreg.fill.tree.reader import TreeReader
from minreg.fill.upstream.registry import Upstream
from minreg.oci.manifests import Descriptor
from minreg.oci.names import Digest, ImageReference, NameInvalid
from minreg.text import format_size


@attrs.frozen
class BlobSource:
    """Where a blob is said to be, and with how many bytes."""

    upstream: Upstream
    repository: str
    blob: Descriptor = attrs.field(eq=lambda blob: (blob.digest, blob.size))


@attrs.frozen
class BlobRequest:
    """An image that lacks a blob, and how it describes it."""

    image: ResolvedImage
    blob: Descriptor

    @property
    def source(self) -> BlobSource:
        """Where the image would have the blob from."""
        return BlobSource(self.image.upstream, self.image.image.repository, self.blob)


@attrs.frozen
class MissingBlob:
    """A blob that the tree lacks, the images that need it, and the bytes that came earlier."""

    digest: Digest
    claims: tuple[BlobRequest, ...]
    partial_size: int

    @property
    def size(self) -> int:
        """The most bytes that any image says it has."""
        return max(claim.blob.size for claim in self.claims)

    @property
    def sources(self) -> Mapping[BlobSource, BlobRequest]:
        """Where to try, the size that most images state first; and for whom."""
        sizes = Counter(claim.blob.size for claim in self.claims)
        ordered = sorted(self.claims, key=lambda claim: -sizes[claim.blob.size])
        sources: dict[BlobSource, BlobRequest] = {}
        for claim in ordered:
            sources.setdefault(claim.source, claim)
        return sources


@attrs.frozen
class FetchResult:
    """What became of a missing blob.

    ``size`` is how many bytes it has, or None if it did not come: then ``reasons`` say why,
    for each source that was tried, or ``reason`` for all.
    """

    size: int | None = None
    reasons: Mapping[BlobSource, str] = attrs.field(factory=dict)
    reason: str = ""

    def reason_for(self, claim: BlobRequest) -> str:
        """Say why an image cannot have the blob; empty if it can."""
        if self.size is None:
            return self.reasons.get(claim.source, self.reason)
        if self.size == claim.blob.size:
            return ""
        return (
            f"{claim.image.image} says that blob {claim.blob.digest} has "
            f"{claim.blob.size} bytes, and it has {self.size}"
        )


@attrs.frozen
class Plan:
    """The images that resolved, why the others did not, and the blobs that are missing."""

    images: tuple[ResolvedImage, ...]
    failures: Mapping[ImageReference, str]
    missing: Mapping[Digest, MissingBlob]
    present_blobs: int
    present_bytes: int

    @property
    def fetch_bytes(self) -> int:
        """Bytes that are to be fetched."""
        return sum(missing.size for missing in self.missing.values()) - self.partial_bytes

    @property
    def partial_bytes(self) -> int:
        """Bytes of the missing blobs that came earlier."""
        return sum(missing.partial_size for missing in self.missing.values())


@attrs.frozen
class _Need:
    """An image, and its blobs that the tree lacks."""

    image: ResolvedImage
    lacking: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """The bytes of all of them."""
        return sum(blob.size for blob in self.lacking)


def make_plan(
    references: Sequence[ImageReference],
    resolve: Callable[[ImageReference], ResolvedImage],
    contents: TreeReader,
    pool: Executor,
    room: int | None = None,
) -> Plan:
    """Resolve all images at once, and see what the tree lacks of them.

    Args:
        references: The images.
        resolve: Finds out what makes up an image.
        contents: The tree.
        pool: The threads to resolve in.
        room: The bytes that the disk has room for, if that matters.
    """
    wanted = list(dict.fromkeys(references))
    futures = {image: pool.submit(resolve, image) for image in wanted}
    images: list[ResolvedImage] = []
    failures: dict[ImageReference, str] = {}
    for image, future in futures.items():
        try:
            images.append(future.result())
        except (FillError, NameInvalid) as failure:
            failures[image] = str(failure)
    failures |= _find_contradictions(images)
    failures |= _find_collisions(images, contents)
    needs = [_find_need(image, contents) for image in images if image.image not in failures]
    if room is not None:
        failures |= _find_too_large(needs, contents, room)
    return _survey(
        [need for need in needs if need.image.image not in failures], failures, contents
    )


def _find_need(image: ResolvedImage, contents: TreeReader) -> _Need:
    lacking = (
        blob for blob in image.blobs if not contents.has_blob(image.place, blob.digest, blob.size)
    )
    return _Need(image, tuple(lacking))


def _find_too_large(
    needs: Sequence[_Need], contents: TreeReader, room: int
) -> dict[ImageReference, str]:
    """Find images that the disk has no room for, beside those that need less."""
    held: dict[Digest, int] = {}
    too_large = {}
    for need in sorted(needs, key=lambda need: need.size):
        coming = 0
        for blob in need.lacking:
            already = held.get(blob.digest) or contents.partial_size(blob.digest)
            coming += max(0, blob.size - already)
        if coming and coming > room:
            too_large[need.image.image] = (
                f"{need.image.image} needs {format_size(coming)} more, and the disk has room "
                f"for {format_size(max(0, room))}: make room, or choose another directory"
            )
            continue
        room -= coming
        for blob in need.lacking:
            held[blob.digest] = max(blob.size, held.get(blob.digest, 0))
    return too_large


def _survey(
    needs: Sequence[_Need], failures: dict[ImageReference, str], contents: TreeReader
) -> Plan:
    claims: dict[Digest, list[BlobRequest]] = {}
    for need in needs:
        for blob in need.lacking:
            claims.setdefault(blob.digest, []).append(BlobRequest(need.image, blob))
    missing = {}
    for digest, made in claims.items():
        largest = max(claim.blob.size for claim in made)
        partial_size = min(contents.partial_size(digest), largest)
        missing[digest] = MissingBlob(digest, tuple(made), partial_size)
    sizes = [blob.size for need in needs for blob in need.image.blobs]
    fetched = [made[0].blob.size for made in claims.values()]
    return Plan(
        tuple(need.image for need in needs),
        failures,
        missing,
        len(sizes) - len(fetched),
        sum(sizes) - sum(fetched),
    )


def _find_contradictions(images: Sequence[ResolvedImage]) -> dict[ImageReference, str]:
    """Find images that say two things of one blob."""
    contradictions = {}
    for image in images:
        sizes: dict[Digest, int] = {}
        for document in image.documents:
            for blob in document.manifest.blobs:
                if sizes.setdefault(blob.digest, blob.size) != blob.size:
                    contradictions[image.image] = (
                        f"{image.image} states two sizes for blob {blob.digest}"
                    )
    return contradictions


def _find_collisions(
    images: Sequence[ResolvedImage], contents: TreeReader
) -> dict[ImageReference, str]:
    """Find images of two upstreams that would have one name in the tree."""
    claims: dict[tuple[str, str], list[ResolvedImage]] = {}
    for image in images:
        claims.setdefault((image.place, image.image.tag), []).append(image)
    collisions = {}
    for (place, tag), claimants in claims.items():
        if not tag:
            continue
        for image in claimants:
            rivals = [other for other in claimants if other.root != image.root]
            other_origin = _origin_in_tree(image, contents)
            if rivals:
                other_origin = str(rivals[0].image)
            if other_origin:
                collisions[image.image] = (
                    f"{image.image} and {other_origin} would both be {place}:{tag}, and are "
                    "different images: keep their hosts' names apart with --no-trim"
                )
    return collisions


def _origin_in_tree(image: ResolvedImage, contents: TreeReader) -> str:
    """Name another upstream that filled the image's tag with something else."""
    held = contents.read_manifest(image.place, image.image.tag)
    if held is None or held[0] == image.root:
        return ""
    origin = Provenance(contents.root).find(image.place, image.image.tag)
    return origin if origin is not None and origin != provenance_of(image.image) else ""
