"""Platforms: how they are written, which of them are the same, and which runs on which node.

Source: OCI image-spec, image-index.md, "Platform Object"; containerd's package ``platforms``.
Its ``normalizeArch`` (database.go) maps the spellings that mean the same architecture to one of
them. Its ``platformVector`` (compare.go) lists what a node can run besides its own platform,
best first. containerd pulls the best platform that an index names, and if the content of that
one is missing, it does not try another.

Every part of minreg that compares platforms does so here, so that ``download``, ``verify``,
``import`` and ``preflight`` agree on what ``--platform linux/x86_64`` means.
"""

import platform as local
import re
from collections.abc import Iterator, Sequence
from typing import Self

import attrs

ALL_PLATFORMS = "all"
"""The word that stands for every platform that an image has."""

UNKNOWN_OS = "unknown"
"""The operating system of an index entry that is an attestation, and not an image (BuildKit)."""

_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "aarch64": "arm64",
}
_ARM_VARIANTS = {
    "armhf": "v7",
    "armel": "v6",
    "armv5": "v5",
    "armv6": "v6",
    "armv7": "v7",
    "armv8": "v8",
}
_LOWEST_VARIANT = {"amd64": 1, "arm": 5}
_HIGHEST_VARIANT = 99
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


@attrs.frozen
class Platform:
    """What an image runs on, written as ``linux/arm/v7``.

    Attributes:
        os: The operating system, such as ``linux``.
        architecture: The processor architecture, as Go names it.
        variant: The variant of the architecture, or empty.
    """

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``os/architecture`` or ``os/architecture/variant``, without normalizing it.

        Raises:
            ValueError: It has fewer or more parts, or an empty one.
        """
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise ValueError(
                f"{text[:80]!r} is not a platform such as linux/amd64 or linux/arm/v7"
            )
        return cls(*parts)

    def as_json(self) -> dict[str, str]:
        """Return the platform object of a descriptor."""
        return attrs.asdict(self, filter=lambda _field, value: bool(value))

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def parse_platform(text: str) -> Platform | None:
    """Parse and normalize the platform of a node; return None for ``all``.

    Raises:
        ValueError: The text is not a platform.
    """
    if text == ALL_PLATFORMS:
        return None
    if not all(map(_PART.fullmatch, text.split("/"))):
        raise ValueError(f"{text[:80]!r} is not a platform such as linux/amd64 or linux/arm/v7")
    return normalize(Platform.parse(text))


def name_platform(platform: Platform | None) -> str:
    """Return the text that ``parse_platform`` reads as this platform."""
    return ALL_PLATFORMS if platform is None else str(platform)


def local_platform() -> Platform:
    """Return the platform of the machine that this runs on."""
    name = local.machine().lower()
    # The kernel appends the byte order: armv7l.
    return normalize(Platform("linux", name[:5] if name.startswith("armv") else name))


def normalize(platform: Platform) -> Platform:
    """Return a platform in the spelling that containerd compares."""
    architecture, variant = platform.architecture.lower(), platform.variant.lower()
    if architecture in _ARM_VARIANTS:
        architecture, variant = "arm", _ARM_VARIANTS[architecture]
    architecture = _ARCHITECTURES.get(architecture, architecture)
    if variant.isdigit():
        variant = f"v{variant}"
    if architecture == "arm":
        variant = variant or "v7"
    elif (architecture, variant) in {("amd64", "v1"), ("arm64", "v8")} or architecture == "386":
        variant = ""
    return Platform(platform.os.lower(), architecture, variant)


def matches(platform: Platform, requested: Platform) -> bool:
    """Return whether an image's platform is the one that a person requested.

    Both are normalized. A request without a variant matches every variant.
    """
    own, normalized = normalize(platform), normalize(requested)
    if (own.os, own.architecture) != (normalized.os, normalized.architecture):
        return False
    names_variant = requested.variant or requested.architecture.lower() in _ARM_VARIANTS
    return not names_variant or own.variant == normalized.variant


def compatible_variants(platform: Platform) -> list[Platform]:
    """Return a platform and the older variants of its architecture, newest first."""
    own = normalize(platform)
    return [own, *_older_variants(own)]


def runnable_platforms(node: Platform) -> list[Platform]:
    """Return the platforms that a node can run: its own first, then older ones."""
    platforms = compatible_variants(node)
    own = platforms[0]
    if own.architecture == "amd64":
        platforms.append(Platform(own.os, "386"))
    if own.architecture == "arm64":
        platforms += [Platform(own.os, "arm64")] if own.variant else []
        platforms += runnable_platforms(Platform(own.os, "arm", "v8"))
    return platforms


def find_best(offered: Sequence[Platform | None], node: Platform) -> int | None:
    """Return the position of the platform that a node pulls; None if it can run none of them.

    Args:
        offered: Platforms, as an index names them. None stands for a manifest without a
            platform, which every node can run, but which comes last.
        node: The node's platform.
    """
    platforms = runnable_platforms(node)
    ranks = {platform: rank for rank, platform in reversed(list(enumerate(platforms)))}
    candidates = [
        (len(ranks) if platform is None else ranks[normalize(platform)], position)
        for position, platform in enumerate(offered)
        if platform is None or normalize(platform) in ranks
    ]
    return min(candidates)[1] if candidates else None


def config_matches(stated: Platform, expected: Sequence[Platform]) -> bool:
    """Return whether the platform in an image's config is one of those expected.

    A config without a variant matches every variant: many build tools leave it out.

    Args:
        stated: The platform in the config.
        expected: Normalized platforms.
    """
    own = normalize(stated)
    if stated.variant:
        return own in expected
    return any(
        (platform.os, platform.architecture) == (own.os, own.architecture) for platform in expected
    )


def _older_variants(platform: Platform) -> Iterator[Platform]:
    """Yield the variants below that of a normalized platform, newest first."""
    lowest = _LOWEST_VARIANT.get(platform.architecture)
    # A hostile index may name a variant of thousands of digits, which int() refuses. Three
    # digits are already more than there are variants.
    digits = platform.variant.removeprefix("v").lstrip("0")[:3]
    if lowest is None or not (digits.isascii() and digits.isdigit()):
        return
    for number in range(min(int(digits), _HIGHEST_VARIANT) - 1, lowest - 1, -1):
        yield normalize(Platform(platform.os, platform.architecture, f"v{number}"))
