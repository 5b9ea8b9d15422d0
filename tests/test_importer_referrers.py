"""Tests for ``minreg.fill.archives.referrers``: signatures and other manifests about images."""

from collections.abc import Mapping
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from minreg.fill.archives.naming import ArchivedImage
from minreg.fill.archives.referrers import ArchivedReferrer, ReferrerNames
from minreg.fill.errors import ArchiveInvalid
from minreg.fill.prune import plan_removal
from minreg.fill.verify import Verification
from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest, ImageReference
from minreg.oci.platforms import Platform
from minreg.store.index import fallback_tag
from minreg.store.tree import RegistryTree
from tests.image_archives import (
    CONTAINERD_NAME,
    REFERENCE_NAME,
    Artifact,
    Image,
    describe,
    make_annotated_layout,
    make_index,
    make_layout,
    make_tar,
)
from tests.importing import AMD64, ARM64, S390X, ImporterTestCase

NAME = "ghcr.io/acme/audit:v1"
REPOSITORY = "acme/audit"
IMAGE = Digest.of(AMD64.manifest)
SIGNATURE = Artifact(b"signature")
ATTESTATION = Artifact(b"attestation")
PARTS = Artifact(b"list of parts", AMD64.manifest)
TAG = fallback_tag(IMAGE)


Entry = tuple[Image | Artifact, Mapping[str, str]]


def hauler(kind: str, **more: str) -> dict[str, str]:
    """Return the annotations that Hauler writes, those of the image's name included."""
    own = {"kind": f"dev.hauler/{kind}", REFERENCE_NAME: "acme/audit:v1", CONTAINERD_NAME: NAME}
    return own | more


class ReferrersTests(ImporterTestCase):
    """Tests for archives with referrers."""

    def setUp(self) -> None:
        """Record what is left out."""
        super().setUp()
        self.left_out: list[str] = []

    def list_referrers(self, repository: str, subject: bytes) -> list[Digest]:
        """Return what the registry answers for /referrers."""
        found = RegistryTree(self.root).find_repository(None, repository)
        return [listed.digest for listed in found.list_referrers(Digest.of(subject))]

    def list_names(self, layout: list[tuple[str, bytes]], **options: object) -> list[str]:
        """Import a layout, and return the names in the tree."""
        images = self.import_members(layout, report=self.left_out.append, **options)
        report = Verification(self.root).run(lambda _: None)
        self.assertEqual((report.broken, report.orphans), ([], 0))
        self.assertEqual(plan_removal(self.root, None).manifests, ())
        return [str(image) for image in images]

    def test_hauler(self) -> None:
        """A signature has the name of its image in a haul, and gets cosign's tag."""
        entries: list[Entry] = [
            (AMD64, hauler("image")),
            (SIGNATURE, hauler("sigs")),
            (ATTESTATION, hauler("atts")),
        ]
        for ordered in permutations(entries):
            self.root = self.mktemp()
            names = self.list_names(make_annotated_layout(*ordered))
            self.assertEqual(names[0], f"{REPOSITORY}:v1")
            expected = [f"{REPOSITORY}:{TAG}.att", f"{REPOSITORY}:{TAG}.sig"]
            self.assertEqual(sorted(names[1:]), expected)
            self.assertEqual(self.read_manifest(REPOSITORY, "v1")[1], AMD64.manifest)
            signature = self.read_manifest(REPOSITORY, f"{TAG}.sig")[1]
            self.assertEqual(signature, SIGNATURE.manifest)
        self.assertEqual(self.left_out, [])

    def test_hauler_referrer(self) -> None:
        """A referrer has the name of its image in a haul too, and is kept by its digest."""
        kinds = (f"referrers/{PARTS.digest.encoded}", "unknown")
        for kind in kinds:
            self.root = self.mktemp()
            entries = ((PARTS, hauler(kind)), (AMD64, hauler("image")))
            names = self.list_names(make_annotated_layout(*entries))
            self.assertEqual(names, [f"{REPOSITORY}:v1", f"{REPOSITORY}@{PARTS.digest}"])
            self.assertEqual(self.list_referrers(REPOSITORY, AMD64.manifest), [PARTS.digest])

    def test_hauler_platform(self) -> None:
        """A signature of one platform states its subject."""
        index = make_index([AMD64.descriptor, ARM64.descriptor])
        contents = {c for one in (AMD64, ARM64, SIGNATURE) for c in (*one.blobs, one.manifest)}
        kind = f"sigs/{IMAGE.encoded}"
        stated = hauler(kind, **{"hauler.dev/subject-digest": str(IMAGE)})
        descriptors = [
            describe(OCI_MANIFEST, SIGNATURE.manifest, annotations=stated),
            describe(OCI_MANIFEST, index, annotations=hauler("imageIndex")),
        ]
        layout = make_layout([*sorted(contents), index], descriptors)
        names = self.list_names(layout)
        self.assertEqual(names, [f"{REPOSITORY}:v1", f"{REPOSITORY}:{TAG}.sig"])

    def test_stated_subject(self) -> None:
        """Only a signature has the subject that an annotation states."""
        stated = {"hauler.dev/subject-digest": str(IMAGE)}
        layout = make_annotated_layout((AMD64, {REFERENCE_NAME: NAME}), (ARM64, stated))
        self.assertEqual(self.list_names(layout), [f"{REPOSITORY}:v1"])
        self.assertIn("the archive has no name for it", self.left_out[0])

    def test_hauler_without_kinds(self) -> None:
        """Where only one annotation has the name of a signature, this is its name."""
        own = {REFERENCE_NAME: f"acme/audit:{TAG}.sig", CONTAINERD_NAME: NAME}
        image = {REFERENCE_NAME: "acme/audit:v1", CONTAINERD_NAME: NAME}
        names = self.list_names(make_annotated_layout((SIGNATURE, own), (AMD64, image)))
        self.assertEqual(sorted(names), [f"{REPOSITORY}:{TAG}.sig", f"{REPOSITORY}:v1"])

    def test_cosign(self) -> None:
        """``cosign save`` writes no names; --name is that of the image."""
        layout = make_annotated_layout(
            (AMD64, {"kind": "dev.cosignproject.cosign/image"}),
            (SIGNATURE, {"kind": "dev.cosignproject.cosign/sigs"}),
            (PARTS, {"kind": "dev.cosignproject.cosign/sboms"}),
        )
        self.assertEqual(
            self.refuse(layout),
            "standard input: the archive has no name for its image; give --name REPOSITORY:TAG",
        )
        names = self.list_names(layout, name="quay.io/a/b:1")
        self.assertEqual(names, ["a/b:1", f"a/b:{TAG}.sig", f"a/b:{TAG}.sbom"])

    def test_unnamed(self) -> None:
        """An unnamed manifest with a subject belongs to the named image beside it."""
        name = {REFERENCE_NAME: "ghcr.io/acme/o:1"}
        names = self.list_names(make_annotated_layout((AMD64, name), (PARTS, {})))
        self.assertEqual(names, ["acme/o:1", f"acme/o@{PARTS.digest}"])
        self.assertEqual(self.list_referrers("acme/o", AMD64.manifest), [PARTS.digest])

    def test_chain(self) -> None:
        """A referrer of a referrer is kept too, in each repository of the image."""
        signed = Artifact(b"signature of the list", PARTS.manifest)
        layout = make_annotated_layout(
            (signed, {}),
            (PARTS, {}),
            (AMD64, {REFERENCE_NAME: "a/b:1"}),
            (AMD64, {REFERENCE_NAME: "a/b:2"}),
            (AMD64, {REFERENCE_NAME: "c/d:1"}),
        )
        self.list_names(layout)
        for repository in ("a/b", "c/d"):
            self.assertEqual(self.list_referrers(repository, AMD64.manifest), [PARTS.digest])
            self.assertEqual(self.list_referrers(repository, PARTS.manifest), [signed.digest])

    def test_subject_in_index(self) -> None:
        """A referrer of one platform belongs to the index, whose platforms are no images."""
        index = make_index([AMD64.descriptor, ARM64.descriptor])
        contents = {c for one in (AMD64, ARM64, PARTS) for c in (*one.blobs, one.manifest)}
        described = [
            describe(OCI_MANIFEST, AMD64.manifest),
            describe(OCI_MANIFEST, index, annotations={REFERENCE_NAME: "1"}),
            describe(OCI_MANIFEST, PARTS.manifest),
        ]
        layout = make_layout([*sorted(contents), index], described)
        for name in ("a/b", "a/b:1"):
            names = self.list_names(layout, name=name)
            self.assertEqual(names, ["a/b:1", f"a/b@{PARTS.digest}"])
        self.assertEqual(self.left_out, [])

    def test_nested_index(self) -> None:
        """A referrer of one platform belongs to the index of the index, too."""
        inner = make_index([AMD64.descriptor])
        outer = make_index([describe(OCI_INDEX, inner)])
        contents = {c for one in (AMD64, PARTS) for c in (*one.blobs, one.manifest)}
        described = [
            describe(OCI_INDEX, inner),
            describe(OCI_INDEX, outer, annotations={REFERENCE_NAME: NAME}),
            describe(OCI_MANIFEST, PARTS.manifest),
        ]
        names = self.list_names(make_layout([*sorted(contents), inner, outer], described))
        self.assertEqual(names, [f"{REPOSITORY}:v1", f"{REPOSITORY}@{PARTS.digest}"])

    def test_damaged(self) -> None:
        """An entry that is no manifest is refused, or left out if it has no name."""
        damaged = describe(OCI_MANIFEST, b"{")
        named = describe(OCI_MANIFEST, AMD64.manifest, annotations={REFERENCE_NAME: NAME})
        layout = make_layout([*AMD64.blobs, AMD64.manifest, b"{"], [named, damaged])
        self.assertEqual(self.list_names(layout), [f"{REPOSITORY}:v1"])
        self.assertIn("the archive has no name for it", self.left_out[0])
        self.assertIn(f"{Digest.of(b'{')} is no manifest", self.refuse(layout, name="a/b"))

    def test_malformed_names(self) -> None:
        """A malformed name is refused as it is, whichever annotation has it."""
        for full, other in (("A/b", "a/b:1"), ("a/b:1", "A/b")):
            layout = make_annotated_layout((AMD64, {CONTAINERD_NAME: full, REFERENCE_NAME: other}))
            if full == "A/b":
                self.assertIn("'A/b' is not an image name", self.refuse(layout))
            else:
                self.assertEqual(self.list_names(layout), [full])

    def test_too_many(self) -> None:
        """The number of names is limited."""
        digests = [Digest.of(bytes([number])) for number in range(200)]
        referrers = [ArchivedReferrer(ArchivedImage(digest), IMAGE) for digest in digests]
        names = ReferrerNames(referrers)
        for number in range(100):
            names.find(ImageReference.parse(f"a/b{number}:1"), [IMAGE])
        failure = self.assertRaises(
            ArchiveInvalid, names.find, ImageReference.parse("a/c:1"), [IMAGE]
        )
        self.assertIn("more than 20000 names for referrers", str(failure))

    def test_fallback_tag(self) -> None:
        """A list of referrers under its tag keeps it, whatever tag the image gets."""
        listed = make_index([describe(OCI_MANIFEST, PARTS.manifest)])
        contents = {c for one in (AMD64, PARTS) for c in (*one.blobs, one.manifest)}
        described = [
            describe(OCI_MANIFEST, AMD64.manifest, annotations={REFERENCE_NAME: "1"}),
            describe(OCI_MANIFEST, listed, annotations={REFERENCE_NAME: TAG}),
        ]
        layout = make_layout([*sorted(contents), listed], described)
        self.assertEqual(self.list_names(layout, name="a/b"), ["a/b:1", f"a/b:{TAG}"])
        self.root = self.mktemp()
        self.assertEqual(self.list_names(layout, name="a/b:x"), ["a/b:x", f"a/b:{TAG}"])

    def test_untagged(self) -> None:
        """With --name, an entry without a tag never becomes ``latest``."""
        other = Artifact(b"about nothing")
        layout = make_annotated_layout((AMD64, {REFERENCE_NAME: "1"}), (PARTS, {}), (other, {}))
        names = self.list_names(layout, name="a/b")
        expected = ["a/b:1", f"a/b@{other.digest}", f"a/b@{PARTS.digest}"]
        self.assertEqual(names, expected)
        self.assertEqual(RegistryTree(self.root).find_repository(None, "a/b").list_tags(), ["1"])

    def test_left_out(self) -> None:
        """What is left out is reported."""
        lost = Artifact(b"about an image that is elsewhere", S390X.manifest)
        layout = make_annotated_layout(
            (AMD64, {REFERENCE_NAME: NAME}),
            (lost, {}),
            (SIGNATURE, hauler("sigs", **{CONTAINERD_NAME: "ghcr.io/acme/other:1"})),
        )
        self.assertEqual(self.list_names(layout), [f"{REPOSITORY}:v1"])
        unnamed, unknown = self.left_out
        self.assertEqual(
            unnamed,
            f"left out {lost.digest}: the archive has no name for it; give --name REPOSITORY to "
            "keep it",
        )
        self.assertEqual(
            unknown,
            f"left out {SIGNATURE.digest}: it refers to ghcr.io/acme/other:1, which was not "
            "imported",
        )

    def test_other_platform(self) -> None:
        """A referrer of an image for another platform is left out with it."""
        about_arm = Artifact(b"for arm", ARM64.manifest)
        layout = make_annotated_layout(
            (AMD64, {CONTAINERD_NAME: NAME}),
            (ARM64, {CONTAINERD_NAME: NAME}),
            (PARTS, {}),
            (about_arm, {}),
            (SIGNATURE, hauler("sigs")),
        )
        names = self.list_names(layout, platforms=[Platform("linux", "amd64")])
        self.assertEqual(names, [f"{REPOSITORY}:v1", f"{REPOSITORY}@{PARTS.digest}"])
        subjects = {about_arm: Digest.of(ARM64.manifest), SIGNATURE: NAME}
        self.assertEqual(
            self.left_out,
            [
                f"left out {referrer.digest}: it refers to {subject}, which was not imported"
                for referrer, subject in subjects.items()
            ],
        )

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def test_any_entries(self, data: st.DataObject) -> None:
        """Whatever an index says, the tree is complete, or the archive is refused."""
        signed = Artifact(b"signature of the list", PARTS.manifest)
        kinds = (
            "",
            "dev.hauler/sigs",
            "dev.hauler/referrers/ab",
            "dev.cosignproject.cosign/image",
        )
        names = ("", "1", TAG, f"{TAG}.sig", "a/b:1", "c.d/a/b:2", f"a/b@{PARTS.digest}")
        entry: st.SearchStrategy[Entry] = st.tuples(
            st.sampled_from([AMD64, ARM64, PARTS, signed, SIGNATURE]),
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(kinds),
                    REFERENCE_NAME: st.sampled_from(names),
                    CONTAINERD_NAME: st.sampled_from(("", "a/b:1", NAME)),
                    "hauler.dev/subject-digest": st.sampled_from(("", "x", str(PARTS.digest))),
                }
            ),
        )
        entries = data.draw(st.lists(entry, max_size=5))
        name = data.draw(st.sampled_from(("", "e/f", "e/f:1", f"e/f:2@{IMAGE}")))
        self.root = self.mktemp()
        try:
            images = self.import_stream(make_tar(make_annotated_layout(*entries)), name=name)
        except ArchiveInvalid as error:
            self.assertNotIn("\n", str(error))
            return
        report = Verification(self.root).run(lambda _: None)
        self.assertEqual((report.broken, report.orphans), ([], 0))
        self.assertEqual(plan_removal(self.root, None).manifests, ())
        self.assertTrue(images)
