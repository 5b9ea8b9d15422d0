"""Which image of an index a node takes.

Source: containerd's platforms package: ``normalizeArch`` (database.go) for the spellings
that mean the same, ``platformVector`` (compare.go) for what a machine can run besides its
own kind, the best first. containerd takes the best that an index names, and if that is not
to be had, no other.
"""

import platform as machine
import re
from collections.abc import Iterator

from minreg.oci.manifests import Descriptor, Manifest, Platform
from minreg.store.images import is_attestation

_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "aarch64": "arm64",
}
_ARM = {
    "armhf": "v7",
    "armel": "v6",
    "armv5": "v5",
    "armv6": "v6",
    "armv7": "v7",
    "armv8": "v8",
}
_LOWEST_VARIANT = {"amd64": 1, "arm": 5}
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")

ALL_PLATFORMS = "all"
"""The word for whatever platforms an image has."""


def parse_platform(text: str) -> Platform | None:
    """Read a node's platform, or None for all.

    Raises:
        ValueError: It is none.
    """
    if text == ALL_PLATFORMS:
        return None
    if not all(map(_PART.fullmatch, text.split("/"))):
        raise ValueError(f"{text[:80]!r} is no platform such as linux/amd64 or linux/arm/v7")
    return normalize(Platform.parse(text))


def name_platform(platform: Platform | None) -> str:
    """Name a platform as ``parse_platform`` reads it."""
    return ALL_PLATFORMS if platform is None else str(platform)


def this_machine() -> Platform:
    """Name the platform of the machine that this runs on."""
    name = machine.machine().lower()
    # The kernel adds the order of the bytes: armv7l.
    return normalize(Platform("linux", name[:5] if name.startswith("armv") else name))


def normalize(platform: Platform) -> Platform:
    """Spell a platform in the one way that containerd compares."""
    architecture, variant = platform.architecture.lower(), platform.variant.lower()
    if architecture in _ARM:
        architecture, variant = "arm", _ARM[architecture]
    architecture = _ARCHITECTURES.get(architecture, architecture)
    if variant.isdigit():
        variant = f"v{variant}"
    if architecture == "arm":
        variant = variant or "v7"
    elif (architecture, variant) in {("amd64", "v1"), ("arm64", "v8")} or architecture == "386":
        variant = ""
    return Platform(platform.os.lower(), architecture, variant)


def variants(platform: Platform) -> list[Platform]:
    """List a platform and the older variants of its architecture, the newest first."""
    own = normalize(platform)
    return [own, *_older(own)]


def runnable(platform: Platform) -> list[Platform]:
    """List what a machine can run: its own kind first, then older ones."""
    own, *older = variants(platform)
    found = [own, *older]
    if own.architecture == "amd64":
        found.append(Platform(own.os, "386"))
    if own.architecture == "arm64":
        found += [Platform(own.os, "arm64")] if own.variant else []
        found += runnable(Platform(own.os, "arm", "v8"))
    return found


def choose(index: Manifest, platform: Platform | None) -> tuple[Descriptor, ...]:
    """Choose what a node takes of an index.

    Args:
        index: The index.
        platform: The node's; None for the images of all platforms.

    Returns:
        The manifest that the node takes, nothing if none would run there; a manifest that
        names no platform is for all, and comes last.
    """
    images = [child for child in index.manifests if not is_attestation(child)]
    if platform is None:
        return tuple(images)
    ranks = {kind: rank for rank, kind in reversed(list(enumerate(runnable(platform))))}
    fitting = [
        (len(ranks) if child.platform is None else ranks[normalize(child.platform)], child)
        for child in images
        if child.platform is None or normalize(child.platform) in ranks
    ]
    return (min(fitting, key=lambda ranked: ranked[0])[1],) if fitting else ()


def is_of(stated: Platform, kinds: list[Platform]) -> bool:
    """Tell whether what a config states of itself is one of these kinds.

    Configs often leave out the variant: such a one is of any.
    """
    if stated.variant:
        return normalize(stated) in kinds
    own = normalize(stated)
    return any((kind.os, kind.architecture) == (own.os, own.architecture) for kind in kinds)


def _older(platform: Platform) -> Iterator[Platform]:
    """Name the variants below that of a platform, as far down as there are any."""
    lowest = _LOWEST_VARIANT.get(platform.architecture)
    # Of three digits or of thousands (int() refuses those): more than there are anyway.
    number = platform.variant.removeprefix("v").lstrip("0")[:3]
    if lowest is None or not (number.isascii() and number.isdigit()):
        return
    for older in range(min(int(number), 99) - 1, lowest - 1, -1):
        yield normalize(Platform(platform.os, platform.architecture, f"v{older}"))
