"""Tests for ``minreg.oci.platforms``, and for which image of an index a node pulls."""

import platform as machine

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.manifests import Descriptor, Manifest
from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest
from minreg.oci.platforms import (
    Platform,
    compatible_variants,
    config_matches,
    local_platform,
    name_platform,
    normalize,
    parse_platform,
    runnable_platforms,
)


def index_of(*names: str) -> Manifest:
    """Return an index of manifests for some platforms; an empty name is for all."""
    children = (
        Descriptor(
            OCI_MANIFEST, Digest.of(name.encode()), 1, Platform.parse(name) if name else None
        )
        for name in names
    )
    return Manifest(OCI_INDEX, is_index=True, states_media_type=True, manifests=tuple(children))


def names_of(platforms: list[Platform]) -> list[str]:
    """Return platforms as text."""
    return [str(platform) for platform in platforms]


class PlatformTests(SynchronousTestCase):
    """Tests for the names of platforms, and for which platform runs where."""

    def test_spellings(self) -> None:
        """Different spellings of a platform are equal."""
        for text, known in {
            "linux/x86_64": "linux/amd64",
            "Linux/AMD64/v1": "linux/amd64",
            "linux/amd64/v3": "linux/amd64/v3",
            "linux/aarch64": "linux/arm64",
            "linux/arm64/v8": "linux/arm64",
            "linux/arm64/8": "linux/arm64",
            "linux/arm": "linux/arm/v7",
            "linux/arm/6": "linux/arm/v6",
            "linux/armhf": "linux/arm/v7",
            "linux/armel": "linux/arm/v6",
            "linux/i686": "linux/386",
            "linux/riscv64": "linux/riscv64",
        }.items():
            self.assertEqual(str(normalize(Platform.parse(text))), known, text)

    def test_local_platform(self) -> None:
        """The platform of a machine follows from what its kernel reports."""
        for name, known in {
            "x86_64": "linux/amd64",
            "aarch64": "linux/arm64",
            "armv7l": "linux/arm/v7",
            "armv6l": "linux/arm/v6",
            "armv8l": "linux/arm/v8",
            "s390x": "linux/s390x",
        }.items():
            self.patch(machine, "machine", lambda name=name: name)
            self.assertEqual(str(local_platform()), known)

    def test_parse(self) -> None:
        """Only a platform, or ``all``, is accepted."""
        self.assertEqual(parse_platform("linux/arm"), Platform("linux", "arm", "v7"))
        self.assertIsNone(parse_platform("all"))
        for text in ("", "linux", "linux/", "/", "a/b/c/d", "linux/a b", "linux/\x1b", "é/é"):
            self.assertRaises(ValueError, parse_platform, text)
        for text in ("all", "linux/arm/v7"):
            self.assertEqual(name_platform(parse_platform(text)), text)

    @given(st.text(max_size=60))
    def test_parse_anything(self, text: str) -> None:
        """A parsed platform can be written and parsed again."""
        try:
            parsed = parse_platform(text)
        except ValueError:
            return
        self.assertEqual(parse_platform(name_platform(parsed)), parsed)

    def test_runnable(self) -> None:
        """A machine runs its own variant first, and then older ones."""
        for text, known in {
            "linux/amd64": ["linux/amd64", "linux/386"],
            "linux/amd64/v2": ["linux/amd64/v2", "linux/amd64", "linux/386"],
            "linux/arm": ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"],
            "linux/arm64": ["linux/arm64", *(f"linux/arm/v{n}" for n in (8, 7, 6, 5))],
            "linux/riscv64": ["linux/riscv64"],
            "linux/arm/v99999": [
                "linux/arm/v99999",
                *(f"linux/arm/v{n}" for n in range(98, 4, -1)),
            ],
        }.items():
            self.assertEqual(names_of(runnable_platforms(Platform.parse(text))), known, text)
        self.assertEqual(
            runnable_platforms(Platform.parse("linux/arm64/v9"))[1], Platform("linux", "arm64")
        )

    def test_endless_variant(self) -> None:
        """A variant with many digits is higher than all that exist."""
        for variant in ("v" + "9" * 5000, "v" + "9" * 99, "v100"):
            own, highest, *_ = compatible_variants(Platform("linux", "arm", variant))
            self.assertEqual((own.variant, highest.variant), (variant, "v98"))
        self.assertEqual(
            len(compatible_variants(Platform("linux", "arm", "v" + "0" * 5000 + "7"))), 3
        )
        self.assertEqual(len(compatible_variants(Platform("linux", "arm", "v" + "0" * 5000))), 1)

    def test_variants(self) -> None:
        """Older variants are of the same architecture."""
        self.assertEqual(
            names_of(compatible_variants(Platform.parse("linux/arm/v6"))),
            ["linux/arm/v6", "linux/arm/v5"],
        )
        self.assertEqual(
            names_of(compatible_variants(Platform.parse("linux/amd64"))), ["linux/amd64"]
        )


class ChooseTests(SynchronousTestCase):
    """Tests for which manifest of an index a node pulls."""

    def chosen(self, platform: str, *offered: str) -> list[str]:
        """Return what a node pulls."""
        return [
            str(child.platform) for child in index_of(*offered).choose(parse_platform(platform))
        ]

    def test_best(self) -> None:
        """The best platform is pulled, at any position, and only that one."""
        offered = ("linux/arm/v5", "linux/arm/v7", "linux/arm/v6", "linux/arm/v8", "linux/386")
        self.assertEqual(self.chosen("linux/arm/v7", *offered), ["linux/arm/v7"])
        self.assertEqual(self.chosen("linux/arm64", *offered), ["linux/arm/v8"])
        self.assertEqual(self.chosen("linux/amd64", *offered), ["linux/386"])

    def test_spelling(self) -> None:
        """An index may spell a platform differently than the node."""
        self.assertEqual(self.chosen("linux/arm64", "linux/amd64", "linux/arm64/v8")[0][-2:], "v8")

    def test_none(self) -> None:
        """A platform that the node cannot run is not pulled, nor is an attestation."""
        self.assertEqual(self.chosen("linux/amd64", "linux/arm64", "unknown/unknown"), [])

    def test_for_all(self) -> None:
        """A manifest without a platform is pulled if there is no better one."""
        self.assertEqual(self.chosen("linux/amd64", "", "linux/386"), ["linux/386"])
        self.assertEqual(self.chosen("linux/amd64", "linux/arm64", ""), ["None"])

    def test_all(self) -> None:
        """``all`` selects the images of all platforms."""
        offered = ("linux/amd64", "unknown/unknown", "linux/arm64")
        self.assertEqual(self.chosen("all", *offered), ["linux/amd64", "linux/arm64"])

    def test_config(self) -> None:
        """A config without a variant matches any; one with a variant matches only that."""
        kinds = compatible_variants(Platform.parse("linux/arm/v6"))
        for stated, known in {
            "linux/arm": True,
            "linux/arm/v5": True,
            "linux/arm/v7": False,
            "linux/arm64": False,
            "windows/arm": False,
        }.items():
            self.assertIs(config_matches(Platform.parse(stated), kinds), known, stated)
