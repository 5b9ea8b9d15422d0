"""What is to come: which images resolve, and which of their blobs the tree lacks."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor

import attrs

from minreg.fill.claims import Claim, Missing
from minreg.fill.failures import FillFailure
from minreg.fill.resolve import Resolved
from minreg.fill.tree.contents import TreeContents
from minreg.fill.tree.origins import Origins, origin_of
from minreg.manifests import Descriptor
from minreg.names import Digest, NameInvalid
from minreg.references import ImageReference
from minreg.words import format_size


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
        return sum(missing.size for missing in self.missing.values()) - self.partial_bytes

    @property
    def partial_bytes(self) -> int:
        """Bytes of the missing blobs that came earlier."""
        return sum(missing.partial_size for missing in self.missing.values())


@attrs.frozen
class _Need:
    """An image, and its blobs that the tree lacks."""

    image: Resolved
    lacking: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """The bytes of all of them."""
        return sum(blob.size for blob in self.lacking)


def make_plan(
    references: Sequence[ImageReference],
    resolve: Callable[[ImageReference], Resolved],
    contents: TreeContents,
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
    images: list[Resolved] = []
    failures: dict[ImageReference, str] = {}
    for image, future in futures.items():
        try:
            images.append(future.result())
        except (FillFailure, NameInvalid) as failure:
            failures[image] = str(failure)
    failures |= _find_contradictions(images)
    failures |= _find_collisions(images, contents)
    needs = [_find_need(image, contents) for image in images if image.image not in failures]
    if room is not None:
        failures |= _find_too_large(needs, contents, room)
    return _survey(
        [need for need in needs if need.image.image not in failures], failures, contents
    )


def _find_need(image: Resolved, contents: TreeContents) -> _Need:
    lacking = (
        blob for blob in image.blobs if not contents.has_blob(image.place, blob.digest, blob.size)
    )
    return _Need(image, tuple(lacking))


def _find_too_large(
    needs: Sequence[_Need], contents: TreeContents, room: int
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
    needs: Sequence[_Need], failures: dict[ImageReference, str], contents: TreeContents
) -> Plan:
    claims: dict[Digest, list[Claim]] = {}
    for need in needs:
        for blob in need.lacking:
            claims.setdefault(blob.digest, []).append(Claim(need.image, blob))
    missing = {}
    for digest, made in claims.items():
        largest = max(claim.blob.size for claim in made)
        partial_size = min(contents.partial_size(digest), largest)
        missing[digest] = Missing(digest, tuple(made), partial_size)
    sizes = [blob.size for need in needs for blob in need.image.blobs]
    fetched = [made[0].blob.size for made in claims.values()]
    return Plan(
        tuple(need.image for need in needs),
        failures,
        missing,
        len(sizes) - len(fetched),
        sum(sizes) - sum(fetched),
    )


def _find_contradictions(images: Sequence[Resolved]) -> dict[ImageReference, str]:
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
