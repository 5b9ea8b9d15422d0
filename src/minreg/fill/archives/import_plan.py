"""The parts of one image in an archive, in the order in which they are published."""

from collections.abc import Sequence

import attrs

from minreg.fill.archives.contents import ArchiveContents
from minreg.fill.archives.naming import ArchivedImage, parse_valid_manifest
from minreg.fill.errors import ArchiveInvalid
from minreg.fill.platforms import is_requested
from minreg.oci.manifests import Descriptor, Manifest
from minreg.oci.names import Digest
from minreg.oci.platforms import Platform

_MAX_DEPTH = 4
"""Levels of indexes within indexes; clients follow one or two."""


@attrs.frozen
class ImagePlan:
    """The parts of an image that an archive contains.

    ``manifests`` are in the order of publishing: children before parents, the image's own
    manifest or index last. ``missing`` are the manifests that its indexes name, but that were
    not selected or are incomplete in the archive: the image is sparse then.
    """

    manifests: tuple[Digest, ...]
    blobs: tuple[Descriptor, ...]
    missing: tuple[Descriptor, ...]


class LayersNotDistributed(ArchiveInvalid):
    """An image lacks layers, but only such that archives need not have."""


@attrs.frozen
class _Lack:
    """Why a manifest cannot be imported.

    ``is_nondistributable`` is True if it lacks only layers that archives need not have (OCI
    image-spec, layer.md, "Non-Distributable Layers").
    """

    reason: str
    is_nondistributable: bool = False


class _Incomplete(Exception):
    """A manifest names a part that is not available."""

    def __init__(self, lack: _Lack) -> None:
        super().__init__(lack.reason)
        self.lack = lack


def plan_image(
    contents: ArchiveContents, image: ArchivedImage, platforms: Sequence[Platform]
) -> ImagePlan:
    """Collect the manifests and blobs of an image.

    Args:
        contents: The archive, read to its end.
        image: One of its images.
        platforms: The selected platforms; empty for all.

    Raises:
        LayersNotDistributed: Nothing is wrong with the image but layers that archives need not
            have, such as those of Windows.
        ArchiveInvalid: The image is damaged or incomplete, or has nothing for any of the
            platforms.
    """
    collector = _Collector(contents, platforms)
    try:
        collector.add(image.digest, depth=0)
    except _Incomplete as error:
        if error.lack.is_nondistributable:
            raise LayersNotDistributed(
                f"{image} is not here: {error}, and need not be, because its publisher does not "
                "allow to distribute it, as is usual for Windows"
            ) from None
        raise ArchiveInvalid(f"{image} is incomplete: {error}; export the image again") from None
    return ImagePlan(
        tuple(collector.manifests), tuple(collector.blobs.values()), tuple(collector.missing)
    )


class _Collector:
    def __init__(self, contents: ArchiveContents, platforms: Sequence[Platform]) -> None:
        self._contents = contents
        self._platforms = platforms
        self.manifests: list[Digest] = []
        self.blobs: dict[Digest, Descriptor] = {}
        self.missing: list[Descriptor] = []
        # Why each child could not be added; None for those that were.
        self._outcomes: dict[Digest, _Lack | None] = {}

    def add(self, digest: Digest, depth: int) -> None:
        """Add a manifest and all that it names.

        Raises:
            _Incomplete: A part is missing; the manifest was not added.
        """
        manifest = parse_valid_manifest(str(digest), self._contents.read_file(digest))
        if manifest.is_index:
            self._add_children(digest, manifest, depth)
        else:
            self._add_blobs(digest, manifest)
        self.manifests.append(digest)

    def _add_children(self, digest: Digest, index: Manifest, depth: int) -> None:
        if depth == _MAX_DEPTH:
            raise ArchiveInvalid(
                f"{digest} is an index within {depth} others, which no client follows; "
                "export the image again"
            )
        selected = [
            child for child in index.manifests if is_requested(child.platform, self._platforms)
        ]
        self.missing += [child for child in index.manifests if child not in selected]
        outcomes = {child.digest: self._add_child(child, depth) for child in selected}
        images = [child for child in selected if not child.is_attestation]
        if index.manifests and not selected:
            raise _Incomplete(_Lack(_describe_offered(digest, index)))
        lacks = [lack for child in images if (lack := outcomes[child.digest]) is not None]
        if images and len(lacks) == len(images):
            # What a person can change comes first.
            raise _Incomplete(min(lacks, key=lambda lack: lack.is_nondistributable))

    def _add_child(self, child: Descriptor, depth: int) -> _Lack | None:
        """Add a child of an index; return why it could not be added, or None."""
        if child.digest not in self._outcomes:
            self._outcomes[child.digest] = self._try_child(child, depth)
            if self._outcomes[child.digest] is not None:
                self.missing.append(child)
        return self._outcomes[child.digest]

    def _try_child(self, child: Descriptor, depth: int) -> _Lack | None:
        size = self._contents.size_of(child.digest)
        if size is None:
            return _Lack(f"manifest {child.digest} ({child.platform}) is not in the archive")
        if size != child.size:
            raise ArchiveInvalid(
                f"{child.digest} has {size} bytes, but its index states {child.size}; "
                "export the image again"
            )
        try:
            self.add(child.digest, depth + 1)
        except _Incomplete as error:
            return error.lack
        return None

    def _add_blobs(self, digest: Digest, manifest: Manifest) -> None:
        blobs = {blob.digest: blob for blob in manifest.blobs}
        absent = [
            blob
            for blob in blobs.values()
            if not self._contents.is_available(blob.digest, blob.size)
        ]
        for blob in sorted(absent, key=lambda blob: blob.is_nondistributable):
            reason = f"blob {blob.digest} of {digest}, of {blob.size} bytes, is not in the archive"
            raise _Incomplete(_Lack(reason, blob.is_nondistributable))
        self.blobs.update(blobs)


def _describe_offered(digest: Digest, index: Manifest) -> str:
    offered = ", ".join(sorted({str(child.platform) for child in index.manifests}))
    return f"{digest} has nothing for the selected platforms, only for {offered}"
