"""Which manifests of an index are wanted.

Source: OCI image-spec, image-index.md; the matching of platforms as containerd does it
(an arm64 without a variant is v8); the attestations that BuildKit adds to an index.
"""

from collections.abc import Sequence

from minreg.fill.errors import UpstreamRefused
from minreg.oci.manifests import Descriptor, Manifest, Platform
from minreg.store.images import is_attestation

_SUBJECT = "vnd.docker.reference.digest"


def is_wanted(platform: Platform | None, wanted: Sequence[Platform]) -> bool:
    """Tell whether a manifest for ``platform`` serves one of those wanted.

    Args:
        platform: What the index says of the manifest. A manifest without a platform is
            for all.
        wanted: The platforms; none means all. One without a variant means each variant.
    """
    if platform is None or not platform.os or not wanted:
        return True
    return any(_serves(platform, one) for one in wanted)


def select_children(
    index: Manifest, wanted: Sequence[Platform], *, attestations: bool
) -> list[Descriptor]:
    """Choose the manifests of an index that are to be kept.

    Args:
        index: The index.
        wanted: The platforms; none means all.
        attestations: Whether to keep what states something about those chosen.

    Raises:
        UpstreamRefused: It has manifests, and none is wanted.
    """
    images = [child for child in index.manifests if not is_attestation(child)]
    chosen = [child for child in images if is_wanted(child.platform, wanted)]
    if images and not chosen:
        names = ", ".join(str(platform) for platform in wanted)
        offered = ", ".join(str(child.platform) for child in images)
        raise UpstreamRefused(f"it has no image for {names}, but for {offered}")
    if attestations:
        subjects = {str(child.digest) for child in chosen}
        chosen += [
            child
            for child in index.manifests
            if is_attestation(child) and child.annotations.get(_SUBJECT) in subjects
        ]
    return chosen


def _serves(platform: Platform, wanted: Platform) -> bool:
    if (platform.os, platform.architecture) != (wanted.os, wanted.architecture):
        return False
    return not wanted.variant or _variant(platform) == _variant(wanted)


def _variant(platform: Platform) -> str:
    if platform.architecture == "arm64":
        return platform.variant or "v8"
    return platform.variant
