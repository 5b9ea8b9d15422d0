"""Blobs that a tree lacks, and what each image says of them.

Only bytes that hash to the digest are the blob, so one image's word on where it is, or how
large, is never taken for another's: each is tried until one turns out to be right.
"""

from collections import Counter
from collections.abc import Mapping

import attrs

from minreg.fill.resolve import Resolved
from minreg.fill.upstream.registry import Upstream
from minreg.manifests import Descriptor
from minreg.names import Digest


@attrs.frozen
class Source:
    """Where a blob is said to be, and with how many bytes."""

    upstream: Upstream
    repository: str
    blob: Descriptor = attrs.field(eq=lambda blob: (blob.digest, blob.size))


@attrs.frozen
class Claim:
    """An image that lacks a blob, and how it describes it."""

    image: Resolved
    blob: Descriptor

    @property
    def source(self) -> Source:
        """Where the image would have the blob from."""
        return Source(self.image.upstream, self.image.image.repository, self.blob)


@attrs.frozen
class Missing:
    """A blob that the tree lacks, the images that need it, and the bytes that came earlier."""

    digest: Digest
    claims: tuple[Claim, ...]
    partial_size: int

    @property
    def size(self) -> int:
        """The most bytes that any image says it has."""
        return max(claim.blob.size for claim in self.claims)

    @property
    def sources(self) -> Mapping[Source, Claim]:
        """Where to try, the size that most images state first; and for whom."""
        sizes = Counter(claim.blob.size for claim in self.claims)
        ordered = sorted(self.claims, key=lambda claim: -sizes[claim.blob.size])
        sources: dict[Source, Claim] = {}
        for claim in ordered:
            sources.setdefault(claim.source, claim)
        return sources


@attrs.frozen
class Outcome:
    """What became of a missing blob.

    ``size`` is how many bytes it has, or None if it did not come: then ``reasons`` say why,
    for each source that was tried, or ``reason`` for all.
    """

    size: int | None = None
    reasons: Mapping[Source, str] = attrs.field(factory=dict)
    reason: str = ""

    def reason_for(self, claim: Claim) -> str:
        """Say why an image cannot have the blob; empty if it can."""
        if self.size is None:
            return self.reasons.get(claim.source, self.reason)
        if self.size == claim.blob.size:
            return ""
        return (
            f"{claim.image.image} says that blob {claim.blob.digest} has "
            f"{claim.blob.size} bytes, and it has {self.size}"
        )
