"""Tests for ``minreg.fill.platforms``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import UpstreamRefused
from minreg.fill.platforms import is_wanted, select_children
from minreg.oci.manifests import Descriptor, Manifest, Platform
from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest


def child(platform: str, subject: Descriptor | None = None) -> Descriptor:
    """Describe an image for a platform, or an attestation for an image."""
    annotations = {}
    if subject is not None:
        annotations["vnd.docker.reference.digest"] = str(subject.digest)
    return Descriptor(
        OCI_MANIFEST,
        Digest.of(f"{platform}{annotations}".encode()),
        1,
        Platform.parse(platform) if platform else None,
        annotations,
    )


class IsWantedTests(SynchronousTestCase):
    """Tests for ``is_wanted``."""

    def is_wanted(self, platform: str, wanted: str) -> bool:
        """Tell whether a platform serves another."""
        return is_wanted(Platform.parse(platform), [Platform.parse(wanted)])

    def test_exact(self) -> None:
        """Platforms are compared by all their parts."""
        self.assertTrue(self.is_wanted("linux/arm/v7", "linux/arm/v7"))
        self.assertFalse(self.is_wanted("linux/arm/v6", "linux/arm/v7"))
        self.assertFalse(self.is_wanted("linux/arm64", "linux/amd64"))
        self.assertFalse(self.is_wanted("windows/amd64", "linux/amd64"))

    def test_variant(self) -> None:
        """Without a variant each is wanted, and an arm64 without one is v8."""
        self.assertTrue(self.is_wanted("linux/arm/v6", "linux/arm"))
        self.assertTrue(self.is_wanted("linux/arm64", "linux/arm64/v8"))
        self.assertTrue(self.is_wanted("linux/arm64/v8", "linux/arm64"))
        self.assertFalse(self.is_wanted("linux/amd64", "linux/amd64/v3"))

    def test_all(self) -> None:
        """What has no platform is for all, and all are wanted if none is named."""
        self.assertTrue(is_wanted(None, [Platform("linux", "amd64")]))
        self.assertTrue(is_wanted(Platform("linux", "s390x"), []))


class SelectChildrenTests(SynchronousTestCase):
    """Tests for ``select_children``."""

    def setUp(self) -> None:
        """Have an index of two images with an attestation each."""
        self.amd64, self.arm64 = child("linux/amd64"), child("linux/arm64/v8")
        self.attested = [child("unknown/unknown", image) for image in (self.amd64, self.arm64)]
        self.index = Manifest(
            OCI_INDEX,
            is_index=True,
            states_media_type=True,
            manifests=(self.amd64, self.arm64, *self.attested),
        )

    def select(self, *wanted: str, attestations: bool = False) -> list[Descriptor]:
        """Choose from the index."""
        platforms = [Platform.parse(text) for text in wanted]
        return select_children(self.index, platforms, attestations=attestations)

    def test_platforms(self) -> None:
        """The images for the wanted platforms are chosen, and nothing else."""
        self.assertEqual(self.select("linux/amd64"), [self.amd64])
        self.assertEqual(self.select("linux/amd64", "linux/arm64"), [self.amd64, self.arm64])
        self.assertEqual(self.select(), [self.amd64, self.arm64])

    def test_attestations(self) -> None:
        """Attestations come with the images that they are about."""
        chosen = self.select("linux/arm64", attestations=True)
        self.assertEqual(chosen, [self.arm64, self.attested[1]])

    def test_none(self) -> None:
        """An index without the platform is refused, and tells what it has."""
        failure = self.assertRaises(UpstreamRefused, self.select, "linux/s390x")
        self.assertEqual(
            str(failure), "it has no image for linux/s390x, but for linux/amd64, linux/arm64/v8"
        )
