"""Tests for ``minreg.fill.archives.import_plan``."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.archives.import_plan import ImagePlan, LayersNotDistributed, plan_image
from minreg.fill.archives.naming import ArchivedImage
from minreg.fill.errors import ArchiveInvalid
from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from tests.archives_support import read_members
from tests.image_archives import Image, blob, describe, make_index, make_tar, to_json

AMD64 = Image("amd64")
ARM64 = Image("arm64", (make_tar([("pause", b"on arm")]),))
WINDOWS = Image(layers=(make_tar([("a", b"windows")]), make_tar([("b", b"b")])), os="windows")


def make_plan(top: bytes, contents: Sequence[bytes], *platforms: Platform) -> ImagePlan:
    """Plan an image of an archive with these contents."""
    held = read_members([blob(content) for content in dict.fromkeys([top, *contents])])
    return plan_image(held, ArchivedImage(Digest.of(top), ("a:1",)), platforms)


def digests(*contents: bytes) -> tuple[Digest, ...]:
    """Return the digests of contents."""
    return tuple(Digest.of(content) for content in contents)


class PlanTests(SynchronousTestCase):
    """Tests for ``plan_image``."""

    def refuse(self, top: bytes, contents: Sequence[bytes], *platforms: Platform) -> str:
        """Plan an image that is refused, and return the error."""
        return str(self.assertRaises(ArchiveInvalid, make_plan, top, contents, *platforms))

    def test_order(self) -> None:
        """Children come before their parents, in nested indexes too."""
        inner = make_index([ARM64.descriptor])
        outer = make_index([describe(OCI_INDEX, inner), AMD64.descriptor])
        contents = [inner, ARM64.manifest, AMD64.manifest, *ARM64.blobs, *AMD64.blobs]
        plan = make_plan(outer, contents)
        expected = digests(ARM64.manifest, inner, AMD64.manifest, outer)
        self.assertEqual(plan.manifests, expected)
        blobs = [one.digest for one in plan.blobs]
        self.assertEqual(sorted(blobs), sorted(digests(*ARM64.blobs, *AMD64.blobs)))
        self.assertEqual(plan.missing, ())

    def test_incomplete_child(self) -> None:
        """A child without one of its layers counts as missing."""
        index = make_index([AMD64.descriptor, ARM64.descriptor])
        plan = make_plan(index, [*AMD64.blobs, AMD64.manifest, ARM64.manifest, ARM64.config])
        self.assertNotIn(Digest.of(ARM64.manifest), plan.manifests)
        self.assertEqual([child.digest for child in plan.missing], [Digest.of(ARM64.manifest)])

    def test_nothing_whole(self) -> None:
        """An index without a complete child is refused, with one reason."""
        index = make_index([AMD64.descriptor, ARM64.descriptor])
        layer = Digest.of(AMD64.layers[0])
        self.assertEqual(
            self.refuse(index, [AMD64.manifest, AMD64.config]),
            f"a:1 is incomplete: blob {layer} of {Digest.of(AMD64.manifest)}, of "
            f"{len(AMD64.layers[0])} bytes, is not in the archive; export the image again",
        )

    def test_attestation_alone(self) -> None:
        """An attestation without its image is no image."""
        platform = {"os": "unknown", "architecture": "unknown"}
        about = describe(OCI_MANIFEST, ARM64.manifest, platform=platform)
        index = make_index([AMD64.descriptor, about])
        said = self.refuse(index, [ARM64.manifest, *ARM64.blobs])
        self.assertIn(f"manifest {Digest.of(AMD64.manifest)} (linux/amd64) is not in", said)

    def test_empty_index(self) -> None:
        """An index that names nothing is complete."""
        index = make_index([])
        self.assertEqual(make_plan(index, []).manifests, digests(index))

    def test_wrong_size(self) -> None:
        """A manifest of another size than its index states is refused."""
        index = make_index([AMD64.descriptor | {"size": 7}])
        said = self.refuse(index, [AMD64.manifest, *AMD64.blobs])
        self.assertIn(f"has {len(AMD64.manifest)} bytes, but its index states 7", said)

    def test_not_distributed(self) -> None:
        """An image may lack layers that must not be distributed; an index is sparse then."""
        index = make_index([AMD64.descriptor, WINDOWS.descriptor])
        contents = [AMD64.manifest, *AMD64.blobs, WINDOWS.manifest, *WINDOWS.blobs[:1]]
        plan = make_plan(index, contents)
        self.assertEqual(plan.manifests, digests(AMD64.manifest, index))
        self.assertEqual([str(child.platform) for child in plan.missing], ["windows/amd64"])

    def test_nothing_distributed(self) -> None:
        """An image of which only such layers are missing is refused with a reason of its own."""
        for top in (WINDOWS.manifest, make_index([WINDOWS.descriptor, ARM64.descriptor])):
            failure = self.assertRaises(
                LayersNotDistributed,
                make_plan,
                top,
                [WINDOWS.manifest, *WINDOWS.blobs[:1], *WINDOWS.blobs[2:]],
                Platform("windows", "amd64"),
            )
            self.assertEqual(
                str(failure),
                f"a:1 is not here: blob {Digest.of(WINDOWS.layers[0])} of "
                f"{Digest.of(WINDOWS.manifest)}, of {len(WINDOWS.layers[0])} bytes, is not in the "
                "archive, and need not be, because its publisher does not allow to distribute it, "
                "as is usual for Windows",
            )
        self.assertIn(
            f"a:1 is incomplete: blob {Digest.of(WINDOWS.config)}",
            self.refuse(WINDOWS.manifest, []),
        )

    def test_schema_1(self) -> None:
        """Docker's schema 1 is refused, and the error says why."""
        old = to_json({"schemaVersion": 1, "fsLayers": []})
        said = self.refuse(old, [])
        self.assertIn("is no manifest: it is a Docker schema 1 manifest", said)
        index = make_index([describe(OCI_MANIFEST, old)])
        self.assertIn(f"{Digest.of(old)} is no manifest", self.refuse(index, [old]))

    def test_damaged_manifest(self) -> None:
        """An invalid descriptor is not skipped."""
        damaged = AMD64.manifest.replace(b'"size"', b'"length"', 1)
        said = self.refuse(damaged, [*AMD64.blobs])
        self.assertIn("is damaged: config has no size", said)

    def test_deep_indexes(self) -> None:
        """The nesting of indexes is limited."""
        contents = [AMD64.manifest, *AMD64.blobs]
        top = make_index([AMD64.descriptor])
        for _ in range(5):
            contents.append(top)
            top = make_index([describe(OCI_INDEX, top)])
        self.assertIn("is an index within 4 others", self.refuse(top, contents))

    def test_wide_indexes(self) -> None:
        """A child that many indexes name is read once, missing or not."""
        top = make_index([ARM64.descriptor])
        contents = []
        for _ in range(3):
            contents.append(top)
            top = make_index([describe(OCI_INDEX, top)] * 5000)
        self.assertIn(f"manifest {Digest.of(ARM64.manifest)}", self.refuse(top, contents))

    def test_platforms(self) -> None:
        """Only children for a selected platform are planned, and those without one."""
        attestation = Image("unknown")
        children = [AMD64, ARM64, attestation]
        anonymous = Image("s390x")
        descriptors = [child.descriptor for child in children]
        index = make_index([*descriptors, describe(OCI_MANIFEST, anonymous.manifest)])
        contents = [c for one in (*children, anonymous) for c in (one.manifest, *one.blobs)]
        plan = make_plan(index, contents, Platform("linux", "arm64"))
        expected = digests(ARM64.manifest, anonymous.manifest, index)
        self.assertEqual(plan.manifests, expected)
