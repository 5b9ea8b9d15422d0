"""What is known of an image that a tree holds."""

from collections.abc import Mapping

import attrs

from minreg.manifests import Descriptor, Manifest, Platform
from minreg.names import Digest

UNKNOWN = "unknown"
"""What stands for the platform of a manifest that is no image."""


@attrs.frozen
class HeldManifest:
    """A manifest or an index of an image; ``size`` is that of its document, in bytes."""

    digest: Digest
    size: int
    manifest: Manifest
    platform: Platform | None

    @property
    def is_referrer(self) -> bool:
        """Whether it is about another manifest, as a signature is, and no image itself."""
        return self.manifest.subject is not None


@attrs.frozen
class HeldImage:
    """An image of a tree.

    ``documents`` has the size of each manifest and index, ``blobs`` the descriptor of
    each config and layer, of the image and of what refers to it, and ``faulty`` those that
    are not there, or not whole. ``absent_manifests`` are named by an index and not there.
    ``is_readable`` is False if a manifest could not be read, or not all of it, so that there
    may be more that belongs to it.
    """

    place: str
    reference: str | Digest
    root: Digest | None
    manifests: tuple[HeldManifest, ...]
    blobs: Mapping[Digest, Descriptor]
    faulty: frozenset[Digest]
    absent_manifests: tuple[Descriptor, ...]
    problems: tuple[str, ...]
    is_readable: bool

    @property
    def documents(self) -> Mapping[Digest, int]:
        """The size of each manifest and index."""
        return {held.digest: held.size for held in self.manifests}

    @property
    def present(self) -> tuple[Platform, ...]:
        """The platforms that are here, whatever of their layers is missing."""
        return tuple(held.platform for held in self.manifests if held.platform is not None)

    @property
    def absent(self) -> tuple[Platform, ...]:
        """The platforms that an index names and that are not here."""
        return tuple(
            child.platform
            for child in self.absent_manifests
            if child.platform is not None and not is_attestation(child)
        )

    @property
    def size(self) -> int:
        """Bytes of all that it is made of."""
        return sum(self.documents.values()) + sum(blob.size for blob in self.blobs.values())

    def __str__(self) -> str:
        separator = "@" if isinstance(self.reference, Digest) else ":"
        return f"{self.place}{separator}{self.reference}"


def is_attestation(child: Descriptor) -> bool:
    """Tell whether a child of an index is a statement about another, and no image."""
    return child.platform is not None and child.platform.os == UNKNOWN
