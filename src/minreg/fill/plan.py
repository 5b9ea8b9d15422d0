"""What is to come: which images resolve, and which of their blobs the tree lacks."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import attrs

from minreg.fill.contents import TreeContents
from minreg.fill.failures import FillFailure
from minreg.fill.origins import Origins, origin_of
from minreg.fill.resolve import Resolved
from minreg.manifests import Descriptor
from minreg.names import Digest, NameInvalid
from minreg.references import ImageReference


@attrs.frozen
class Missing:
    """A blob that the tree lacks, and the image that it is fetched for."""

    blob: Descriptor
    image: Resolved
    partial_size: int


@attrs.frozen
class Plan:
    """The images that resolved, why the others did not, and the blobs that are missing."""

    images: tuple[Resolved, ...]
    failures: Mapping[ImageReference, str]
    missing: Mapping[Digest, Missing]
    present_blobs: int
    present_bytes: int

    @property
    def fetch_bytes(self) -> int:
        """Bytes that are to be fetched."""
        return sum(missing.blob.size for missing in self.missing.values()) - self.partial_bytes

    @property
    def partial_bytes(self) -> int:
        """Bytes of the missing blobs that came earlier."""
        return sum(missing.partial_size for missing in self.missing.values())


def make_plan(
    references: Sequence[ImageReference],
    resolve: Callable[[ImageReference], Resolved],
    contents: TreeContents,
    pool: Executor,
) -> Plan:
    """Resolve all images at once, and see what the tree lacks of them."""
    wanted = list(dict.fromkeys(references))
    futures = {image: pool.submit(resolve, image) for image in wanted}
    images: list[Resolved] = []
    failures: dict[ImageReference, str] = {}
    for image, future in futures.items():
        try:
            images.append(future.result())
        except (FillFailure, NameInvalid) as failure:
            failures[image] = str(failure)
    failures |= _find_collisions(images, contents)
    return _survey([image for image in images if image.image not in failures], failures, contents)


def _survey(
    images: Sequence[Resolved], failures: dict[ImageReference, str], contents: TreeContents
) -> Plan:
    missing: dict[Digest, Missing] = {}
    sizes: dict[Digest, int] = {}
    kept = []
    present_blobs = present_bytes = 0
    for image in images:
        contradiction = _find_contradiction(image, sizes)
        if contradiction:
            failures[image.image] = contradiction
            continue
        kept.append(image)
        for blob in image.blobs:
            sizes[blob.digest] = blob.size
            if blob.digest in missing or contents.has_blob(image.place, blob.digest, blob.size):
                present_blobs += 1
                present_bytes += blob.size
            else:
                partial_size = min(contents.partial_size(blob.digest), blob.size)
                missing[blob.digest] = Missing(blob, image, partial_size)
    return Plan(tuple(kept), failures, missing, present_blobs, present_bytes)


def _find_contradiction(image: Resolved, sizes: Mapping[Digest, int]) -> str:
    """Find a blob that cannot be what two manifests say; empty if there is none."""
    for blob in image.blobs:
        if sizes.get(blob.digest, blob.size) != blob.size:
            return (
                f"{image.image} says that blob {blob.digest} has {blob.size} bytes, "
                f"and another image that it has {sizes[blob.digest]}"
            )
    return ""


def _find_collisions(
    images: Sequence[Resolved], contents: TreeContents
) -> dict[ImageReference, str]:
    """Find images of two upstreams that would have one name in the tree."""
    claims: dict[tuple[str, str], list[Resolved]] = {}
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


def _origin_in_tree(image: Resolved, contents: TreeContents) -> str:
    """Name another upstream that filled the image's tag with something else."""
    held = contents.read_manifest(image.place, image.image.tag)
    if held is None or held[0] == image.root:
        return ""
    origin = Origins(contents.root).find(image.place, image.image.tag)
    return origin if origin is not None and origin != origin_of(image.image) else ""
