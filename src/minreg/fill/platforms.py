"""Which manifests of an index a download or an import keeps.

Source: OCI image-spec, image-index.md; the attestations that BuildKit adds to an index. How
platforms are compared: ``minreg.oci.platforms``.
"""

from collections.abc import Sequence

from minreg.fill.errors import UpstreamRefused
from minreg.oci.manifests import Descriptor, Manifest
from minreg.oci.platforms import Platform, matches

_SUBJECT = "vnd.docker.reference.digest"


def is_requested(platform: Platform | None, requested: Sequence[Platform]) -> bool:
    """Return whether a manifest for ``platform`` is to be kept.

    Args:
        platform: What the index states for the manifest. One without a platform is for all.
        requested: The platforms to keep; all if there are none. One without a variant stands
            for every variant.
    """
    if platform is None or not platform.os or not requested:
        return True
    return any(matches(platform, one) for one in requested)


def select_children(
    index: Manifest, requested: Sequence[Platform], *, attestations: bool
) -> list[Descriptor]:
    """Return the manifests of an index that are to be kept.

    Where an index has no image for exactly a requested platform, the image that a node of
    that platform would pull is kept: one for an older variant that it can run.

    Args:
        index: The index.
        requested: The platforms to keep; all if there are none.
        attestations: Whether to keep the attestations about the chosen images.

    Raises:
        UpstreamRefused: The index has images, and none of them is to be kept.
    """
    images = index.images
    chosen = [child for child in images if is_requested(child.platform, requested)]
    for platform in requested:
        if not any(is_requested(child.platform, [platform]) for child in images):
            chosen += [child for child in index.choose(platform) if child not in chosen]
    if images and not chosen:
        names = ", ".join(str(platform) for platform in requested)
        offered = ", ".join(str(child.platform) for child in images)
        raise UpstreamRefused(f"it has no image for {names}, but for {offered}")
    if attestations:
        subjects = {str(child.digest) for child in chosen}
        chosen += [
            child
            for child in index.manifests
            if child.is_attestation and child.annotations.get(_SUBJECT) in subjects
        ]
    return chosen
