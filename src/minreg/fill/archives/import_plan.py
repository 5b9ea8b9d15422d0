"""What of an archive makes up one image, in the order in which it is to be published."""

from collections.abc import Sequence

import attrs

from minreg.fill.archives.contents import ArchiveContents
from minreg.fill.archives.naming import ArchivedImage, parse_sound_manifest
from minreg.fill.errors import ArchiveInvalid
from minreg.fill.platforms import is_requested
from minreg.oci.manifests import Descriptor, Manifest
from minreg.oci.names import Digest
from minreg.oci.platforms import Platform

_DEEPEST = 4
"""How many indexes may lie within each other; clients follow one or two."""


@attrs.frozen
class ImagePlan:
    """The parts of an image that an archive holds.

    ``manifests`` are in the order of publishing, children before parents, that of the
    image last. ``missing`` are the manifests that its indexes name and that are not wanted,
    or that the archive does not hold whole: the image is sparse.
    """

    manifests: tuple[Digest, ...]
    blobs: tuple[Descriptor, ...]
    missing: tuple[Descriptor, ...]


class _Incomplete(Exception):
    """A manifest names a blob that is not there."""


def plan_image(
    contents: ArchiveContents, image: ArchivedImage, platforms: Sequence[Platform]
) -> ImagePlan:
    """Collect what is to be published for an image.

    Args:
        contents: The archive, read to its end.
        image: One of its images.
        platforms: The platforms that are wanted; all, where there are none.

    Raises:
        ArchiveInvalid: The image does not hold together, or has nothing for any of the
            platforms.
    """
    collected = _Collector(contents, platforms)
    try:
        collected.add(image.digest, depth=0)
    except _Incomplete as error:
        raise ArchiveInvalid(f"{image} is not whole: {error}; export the image anew") from None
    return ImagePlan(
        tuple(collected.manifests), tuple(collected.blobs.values()), tuple(collected.missing)
    )


class _Collector:
    def __init__(self, contents: ArchiveContents, platforms: Sequence[Platform]) -> None:
        self._contents = contents
        self._platforms = platforms
        self.manifests: list[Digest] = []
        self.blobs: dict[Digest, Descriptor] = {}
        self.missing: list[Descriptor] = []
        self._outcomes: dict[Digest, str] = {}

    def add(self, digest: Digest, depth: int) -> None:
        """Add a manifest and all that it names, or nothing."""
        manifest = parse_sound_manifest(str(digest), self._contents.read(digest))
        if manifest.is_index:
            self._add_children(digest, manifest, depth)
        else:
            self._add_blobs(digest, manifest)
        self.manifests.append(digest)

    def _add_children(self, digest: Digest, index: Manifest, depth: int) -> None:
        if depth == _DEEPEST:
            raise ArchiveInvalid(
                f"{digest} is an index within {depth} others, which no client follows: "
                "export the image anew"
            )
        wanted = [
            child for child in index.manifests if is_requested(child.platform, self._platforms)
        ]
        self.missing += [child for child in index.manifests if child not in wanted]
        reasons = {child.digest: self._add_child(child, depth) for child in wanted}
        images = [child for child in wanted if not child.is_attestation]
        if index.manifests and not wanted:
            raise _Incomplete(_say_nothing_wanted(digest, index))
        if images and all(reasons[child.digest] for child in images):
            raise _Incomplete(reasons[images[0].digest])

    def _add_child(self, child: Descriptor, depth: int) -> str:
        """Add a manifest that an index names; return why it could not be added, or nothing."""
        if child.digest not in self._outcomes:
            self._outcomes[child.digest] = self._try_child(child, depth)
            if self._outcomes[child.digest]:
                self.missing.append(child)
        return self._outcomes[child.digest]

    def _try_child(self, child: Descriptor, depth: int) -> str:
        size = self._contents.size_of(child.digest)
        if size is None:
            return f"manifest {child.digest} ({child.platform}) is not in the archive"
        if size != child.size:
            raise ArchiveInvalid(
                f"{child.digest} has {size} bytes, and {child.size} are stated: "
                "export the image anew"
            )
        try:
            self.add(child.digest, depth + 1)
        except _Incomplete as error:
            return str(error)
        return ""

    def _add_blobs(self, digest: Digest, manifest: Manifest) -> None:
        blobs = {blob.digest: blob for blob in manifest.blobs}
        for blob in blobs.values():
            if not self._contents.is_available(blob.digest, blob.size):
                raise _Incomplete(
                    f"blob {blob.digest} of {digest} is not in the archive, with {blob.size} bytes"
                )
        self.blobs.update(blobs)


def _say_nothing_wanted(digest: Digest, index: Manifest) -> str:
    offered = ", ".join(sorted({str(child.platform) for child in index.manifests}))
    return f"{digest} has nothing for the wanted platforms, but for {offered}"
