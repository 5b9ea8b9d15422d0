"""Plans a download: which blobs the tree lacks, which images need them, and where they are.

Several images can need one blob, and their manifests can contradict each other about its size.
Only received bytes of the right digest prove a size. So what one manifest states is not used for
another image: each repository that is said to have the blob is tried, with each stated size.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TypeVar

import attrs

from minreg.fill.errors import KEEP_HOSTS, FillError
from minreg.fill.resolve import ResolvedImage
from minreg.fill.tree.provenance import Provenance, provenance_of
from minreg.fill.tree.reader import TreeReader
from minreg.fill.upstream.registry import Upstream
from minreg.oci.manifests import Descriptor
from minreg.oci.names import Digest, ImageReference, NameInvalid
from minreg.text import format_size

_Argument = TypeVar("_Argument")


@attrs.frozen
class BlobSource:
    """An upstream repository that should have a blob, and the blob's descriptor there."""

    upstream: Upstream
    repository: str
    blob: Descriptor = attrs.field(eq=lambda blob: (blob.digest, blob.size))


@attrs.frozen
class BlobRequest:
    """An image that needs a blob, and the blob's descriptor in its manifest."""

    image: ResolvedImage
    blob: Descriptor

    @property
    def source(self) -> BlobSource:
        """The image's own repository upstream."""
        return BlobSource(self.image.upstream, self.image.reference.repository, self.blob)


@attrs.frozen
class MissingBlob:
    """A blob that the tree lacks.

    ``requests`` has one for each image that needs it. ``partial_size`` is the number of bytes
    that the tree has from an interrupted download.
    """

    digest: Digest
    requests: tuple[BlobRequest, ...]
    partial_size: int

    @property
    def size(self) -> int:
        """The largest size in bytes that a manifest states."""
        return max(request.blob.size for request in self.requests)

    @property
    def sources(self) -> Mapping[BlobSource, BlobRequest]:
        """The sources in the order to try, each with one of its requests.

        A descriptor that has the content comes first, then the size that most manifests state.
        """
        counts = Counter(request.blob.size for request in self.requests)
        ordered = sorted(
            self.requests,
            key=lambda request: (not request.blob.data, -counts[request.blob.size]),
        )
        sources: dict[BlobSource, BlobRequest] = {}
        for request in ordered:
            sources.setdefault(request.source, request)
        return sources


@attrs.frozen
class FetchResult:
    """The result of the download of a missing blob.

    ``size`` is its size in bytes, None if it failed. Then ``reasons`` has the error of each
    source that was tried; ``reason`` is an error that does not depend on the source.
    """

    size: int | None = None
    reasons: Mapping[BlobSource, str] = attrs.field(factory=dict)
    reason: str = ""

    def reason_for(self, request: BlobRequest) -> str:
        """Return why an image cannot have the blob; empty if it can."""
        if self.size is None:
            return self.reasons.get(request.source, self.reason)
        if self.size == request.blob.size:
            return ""
        return (
            f"{request.image.reference} states {request.blob.size} bytes for blob "
            f"{request.blob.digest}, but it has {self.size}; the image is invalid, choose another"
        )


@attrs.frozen
class Plan:
    """What a download will do.

    ``failures`` has the references of images that cannot be downloaded, with the reasons.
    ``present_blobs`` and ``present_bytes`` count the blobs that need no download: the tree has
    them, or they are downloaded for another image.
    """

    images: tuple[ResolvedImage, ...]
    failures: Mapping[ImageReference, str]
    missing: Mapping[Digest, MissingBlob]
    present_blobs: int
    present_bytes: int

    @property
    def fetch_bytes(self) -> int:
        """The number of bytes to download."""
        return sum(blob.size for blob in self.missing.values()) - self.partial_bytes

    @property
    def partial_bytes(self) -> int:
        """The number of bytes that the tree has from interrupted downloads."""
        return sum(blob.partial_size for blob in self.missing.values())


@attrs.frozen
class _Candidate:
    """An image, and its blobs that the tree lacks."""

    image: ResolvedImage
    missing: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """The size of the missing blobs in bytes."""
        return sum(blob.size for blob in self.missing)


def make_plan(
    references: Sequence[ImageReference],
    resolve: Callable[[ImageReference], ResolvedImage],
    add_optional: Callable[[ResolvedImage], ResolvedImage],
    *,
    contents: TreeReader,
    pool: Executor,
    free_space: int | None = None,
) -> Plan:
    """Resolve images in parallel, and find the blobs that the tree lacks.

    Args:
        references: The images; duplicates are ignored.
        resolve: Returns the manifests of an image, or raises FillError or NameInvalid.
        add_optional: Returns an image with its optional parts, or raises FillError.
        contents: The tree.
        pool: The threads to resolve in.
        free_space: The number of bytes that may be written; None for no limit.
    """
    failures: dict[ImageReference, str] = {}
    unique = dict.fromkeys(references)
    images = _run_all(pool, resolve, {reference: reference for reference in unique}, failures)
    failures |= _find_contradictions(images)
    failures |= _find_name_conflicts(images, contents)
    accepted = {image.reference: image for image in images if image.reference not in failures}
    images = _run_all(pool, add_optional, accepted, failures)
    candidates = [_Candidate(image, _find_missing(image, contents)) for image in images]
    if free_space is not None:
        failures |= _find_too_large(candidates, contents, free_space)
    fitting = [candidate for candidate in candidates if candidate.image.reference not in failures]
    return _combine(fitting, failures, contents)


def _run_all(
    pool: Executor,
    function: Callable[[_Argument], ResolvedImage],
    arguments: Mapping[ImageReference, _Argument],
    failures: dict[ImageReference, str],
) -> list[ResolvedImage]:
    """Call a function for each image in parallel; return the results, and add the failures."""
    futures = {
        reference: pool.submit(function, argument) for reference, argument in arguments.items()
    }
    images = []
    for reference, future in futures.items():
        try:
            images.append(future.result())
        except (FillError, NameInvalid) as error:
            failures[reference] = str(error)
    return images


def _find_missing(image: ResolvedImage, contents: TreeReader) -> tuple[Descriptor, ...]:
    return tuple(
        blob
        for blob in image.blobs
        if not contents.has_blob(image.repository_path, blob.digest, blob.size)
    )


def _find_too_large(
    candidates: Sequence[_Candidate], contents: TreeReader, free_space: int
) -> dict[ImageReference, str]:
    """Return the images that do not fit on the disk; images that need less come first."""
    reserved: dict[Digest, int] = {}
    too_large = {}
    for candidate in sorted(candidates, key=lambda candidate: candidate.size):
        required = 0
        for blob in candidate.missing:
            counted = reserved.get(blob.digest) or contents.partial_size(blob.digest)
            required += max(0, blob.size - counted)
        if required and required > free_space:
            reference = candidate.image.reference
            too_large[reference] = (
                f"{reference} needs {format_size(required)}, but only "
                f"{format_size(max(0, free_space))} are free; free disk space, or choose another "
                "directory"
            )
            continue
        free_space -= required
        for blob in candidate.missing:
            reserved[blob.digest] = max(blob.size, reserved.get(blob.digest, 0))
    return too_large


def _combine(
    candidates: Sequence[_Candidate], failures: dict[ImageReference, str], contents: TreeReader
) -> Plan:
    """Return the plan, which has each missing blob once."""
    requests: dict[Digest, list[BlobRequest]] = {}
    for candidate in candidates:
        for blob in candidate.missing:
            requests.setdefault(blob.digest, []).append(BlobRequest(candidate.image, blob))
    missing = {}
    for digest, same_blob in requests.items():
        max_size = max(request.blob.size for request in same_blob)
        partial_size = min(contents.partial_size(digest), max_size)
        missing[digest] = MissingBlob(digest, tuple(same_blob), partial_size)
    all_sizes = [blob.size for candidate in candidates for blob in candidate.image.blobs]
    fetched_sizes = [same_blob[0].blob.size for same_blob in requests.values()]
    return Plan(
        tuple(candidate.image for candidate in candidates),
        failures,
        missing,
        len(all_sizes) - len(fetched_sizes),
        sum(all_sizes) - sum(fetched_sizes),
    )


def _find_contradictions(images: Sequence[ResolvedImage]) -> dict[ImageReference, str]:
    """Return the images whose own manifests state different sizes for one blob."""
    contradictions = {}
    for image in images:
        sizes: dict[Digest, int] = {}
        for fetched in image.manifests:
            for blob in fetched.manifest.blobs:
                if sizes.setdefault(blob.digest, blob.size) != blob.size:
                    contradictions[image.reference] = (
                        f"{image.reference} states two sizes for blob {blob.digest}; "
                        "the image is invalid, choose another"
                    )
    return contradictions


def _find_name_conflicts(
    images: Sequence[ResolvedImage], contents: TreeReader
) -> dict[ImageReference, str]:
    """Return the images whose name in the tree belongs to an image of another registry."""
    by_name: dict[tuple[str, str], list[ResolvedImage]] = {}
    for image in images:
        by_name.setdefault((image.repository_path, image.reference.tag), []).append(image)
    conflicts = {}
    for (repository, tag), same_name in by_name.items():
        if not tag:
            continue
        for image in same_name:
            others = [str(other.reference) for other in same_name if other.root != image.root]
            other = others[0] if others else _find_other_upstream(image, contents)
            if other:
                conflicts[image.reference] = (
                    f"{image.reference} and {other} are different images, but both would be "
                    f"{repository}:{tag} in the tree; {KEEP_HOSTS}"
                )
    return conflicts


def _find_other_upstream(image: ResolvedImage, contents: TreeReader) -> str:
    """Return which other upstream repository an image's tag in the tree is from; empty if none.

    A tag that has the same digest is no conflict.
    """
    tag = image.reference.tag
    existing = contents.read_manifest(image.repository_path, tag)
    if existing is None or existing[0] == image.root:
        return ""
    upstream = Provenance(contents.root).find(image.repository_path, tag)
    if upstream is None or upstream == provenance_of(image.reference):
        return ""
    return upstream
