"""What happens while a tree is filled, for whoever shows it."""

from collections.abc import Callable

import attrs

from minreg.names import Digest


@attrs.frozen
class Asking:
    """A server is asked for something, up to so many times."""

    host: str
    what: str
    attempts: int


@attrs.frozen
class Retrying:
    """Something failed, and attempt number ``attempt`` is made in so many seconds."""

    reason: str
    attempt: int
    attempts: int
    seconds: float


@attrs.frozen
class Resolving:
    """So many images are being looked up at some hosts, each up to so many times."""

    images: int
    hosts: tuple[str, ...] = ()
    attempts: int = 1


@attrs.frozen
class Planned:
    """What is to come is known: the images, and the blobs that the tree lacks.

    ``fetch_bytes`` are to be fetched; ``partial_bytes`` of the same blobs came earlier;
    ``present_bytes`` are in the tree, or are fetched for another image already.
    """

    images: int
    blobs: int
    fetch_bytes: int
    partial_bytes: int
    present_bytes: int


@attrs.frozen
class BlobAdvanced:
    """``offset`` bytes of a blob's ``size`` are here; at the first time, it begins."""

    digest: Digest
    image: str
    offset: int
    size: int


@attrs.frozen
class BlobEnded:
    """A blob is complete (``reason`` is empty), or was given up."""

    digest: Digest
    received: int
    resumed: int
    reason: str = ""


@attrs.frozen
class ImageEnded:
    """An image is in the tree (``reason`` is empty), or is not.

    ``is_new`` tells whether anything changed in the tree.
    """

    image: str
    is_new: bool
    reason: str = ""


@attrs.frozen
class Summary:
    """How it all ended: counts of images and blobs, bytes, and the images that failed."""

    images: int
    failed: tuple[str, ...]
    fetched_blobs: int
    fetched_bytes: int
    resumed_bytes: int
    reused_blobs: int
    reused_bytes: int


Event = Asking | Retrying | Resolving | Planned | BlobAdvanced | BlobEnded | ImageEnded | Summary
Show = Callable[[Event], None]
