"""Tests for ``minreg.fill.platforms``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import UpstreamRefused
from minreg.fill.platforms import is_requested, select_children
from minreg.oci.manifests import Descriptor, Manifest
from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform


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


class IsRequestedTests(SynchronousTestCase):
    """Tests for ``is_requested``."""

    def is_requested(self, platform: str, wanted: str) -> bool:
        """Tell whether a platform serves another."""
        return is_requested(Platform.parse(platform), [Platform.parse(wanted)])

    def test_exact(self) -> None:
        """Platforms are compared by all their parts."""
        self.assertTrue(self.is_requested("linux/arm/v7", "linux/arm/v7"))
        self.assertFalse(self.is_requested("linux/arm/v6", "linux/arm/v7"))
        self.assertFalse(self.is_requested("linux/arm64", "linux/amd64"))
        self.assertFalse(self.is_requested("windows/amd64", "linux/amd64"))

    def test_variant(self) -> None:
        """Without a variant each is wanted, and an arm64 without one is v8."""
        self.assertTrue(self.is_requested("linux/arm/v6", "linux/arm"))
        self.assertTrue(self.is_requested("linux/arm64", "linux/arm64/v8"))
        self.assertTrue(self.is_requested("linux/arm64/v8", "linux/arm64"))
        self.assertFalse(self.is_requested("linux/amd64", "linux/amd64/v3"))

    def test_spelling(self) -> None:
        """Spellings of the same platform match, as for ``preflight`` and for containerd."""
        for platform, requested in (
            ("linux/amd64", "linux/x86_64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/amd64", "Linux/AMD64"),
            ("linux/arm64/v8", "linux/aarch64"),
            ("linux/arm/v7", "linux/armhf"),
            ("linux/arm/v6", "linux/arm/6"),
            ("linux/arm64", "linux/arm64/8"),
        ):
            self.assertTrue(self.is_requested(platform, requested), (platform, requested))
        self.assertFalse(self.is_requested("linux/arm/v6", "linux/armhf"))

    def test_all(self) -> None:
        """What has no platform is for all, and all are wanted if none is named."""
        self.assertTrue(is_requested(None, [Platform("linux", "amd64")]))
        self.assertTrue(is_requested(Platform("linux", "s390x"), []))


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

    def test_older_variant(self) -> None:
        """If an index lacks the exact platform, what a node would pull instead is chosen."""
        index = Manifest(
            OCI_INDEX,
            is_index=True,
            states_media_type=True,
            manifests=(child("linux/arm/v6"), child("linux/arm/v5"), child("linux/s390x")),
        )
        chosen = select_children(
            index, [Platform("linux", "arm", "v7"), Platform("linux", "s390x")], attestations=False
        )
        self.assertEqual({str(each.platform) for each in chosen}, {"linux/arm/v6", "linux/s390x"})

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
