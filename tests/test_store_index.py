"""Tests for ``minreg.store.index``: building the index of a repository."""

import json
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.manifests import Descriptor, parse_manifest
from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.directory import ParsedManifest
from minreg.store.index import (
    build_index,
    describe,
    fallback_tag,
    referrers_index,
    subject_of_fallback_tag,
)
from tests.trees import descriptor, index

CONFIG = Digest.of(b"config")
LAYER = Digest.of(b"layer")
SUBJECT = Digest.of(b"subject")


def document(content: Mapping[str, Any]) -> ParsedManifest:
    """Return a document as it is read from a file."""
    written = json.dumps(content).encode()
    return ParsedManifest(Digest.of(written), len(written), parse_manifest(written))


def image(size: int = 5, **more: object) -> ParsedManifest:
    """Return the manifest of an image that states a size for its layer."""
    return document(
        {
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, CONFIG, 6),
            "layers": [descriptor(OCI_LAYER, LAYER, size)],
            **more,
        }
    )


def signature(at: int) -> ParsedManifest:
    """Return one of several signatures of the subject."""
    return image(subject=descriptor(OCI_MANIFEST, SUBJECT, 7), annotations={"at": str(at)})


class BuildIndexTests(SynchronousTestCase):
    """Tests for ``build_index``."""

    def test_sizes(self) -> None:
        """The index has every size that a manifest states for a blob."""
        built = build_index([("a", image(5)), ("b", image(6)), ("c", image(5))])
        self.assertEqual(built.blob_sizes, {CONFIG: {6}, LAYER: {5, 6}})

    def test_index(self) -> None:
        """The media types and platforms that an image index states are kept."""
        platform = {"os": "linux", "architecture": "arm64"}
        listed = document(
            index(
                [
                    descriptor(OCI_MANIFEST, LAYER, 1, platform=platform),
                    descriptor(OCI_INDEX, CONFIG, 2),
                ]
            )
        )
        built = build_index([("manifests/a", listed)])
        self.assertEqual(built.media_types, {LAYER: OCI_MANIFEST, CONFIG: OCI_INDEX})
        self.assertEqual(built.platforms, {LAYER: Platform("linux", "arm64")})
        self.assertEqual(built.paths, {listed.digest: "manifests/a"})

    def test_referrers(self) -> None:
        """Each subject's referrers are listed once and in a stable order."""
        signatures = [signature(at) for at in range(5)]
        places = [(f"manifests/{at}", found) for at, found in enumerate(signatures + signatures)]
        built = build_index(reversed(places))
        ordered = sorted(signatures, key=lambda found: found.digest)
        self.assertEqual(built.referrers, {SUBJECT: tuple(describe(found) for found in ordered)})
        listed = Digest.of(referrers_index(built.referrers[SUBJECT]))
        self.assertEqual(built.referrers_indexes, {listed: SUBJECT})

    def test_weight(self) -> None:
        """The weight of an index is the number of its entries."""
        self.assertEqual(build_index([]).weight, 1)
        self.assertEqual(build_index([("a", image())]).weight, 4)


class DescribeTests(SynchronousTestCase):
    """Tests for ``describe`` and ``referrers_index``."""

    def test_artifact_type(self) -> None:
        """The type of a referrer is its artifact type, else its config's media type."""
        self.assertEqual(describe(image(artifactType="a/b")).artifact_type, "a/b")
        self.assertEqual(describe(image()).artifact_type, OCI_CONFIG)
        self.assertEqual(describe(document(index([]))).artifact_type, "")
        self.assertEqual(describe(document(index([], artifactType="a/b"))).artifact_type, "a/b")

    def test_descriptor(self) -> None:
        """A referrer is described with its media type, digest, size and annotations."""
        found = signature(3)
        self.assertEqual(
            describe(found),
            Descriptor(
                OCI_MANIFEST,
                found.digest,
                found.size,
                annotations={"at": "3"},
                artifact_type=OCI_CONFIG,
            ),
        )

    def test_index(self) -> None:
        """The list is an OCI index without empty fields."""
        bare = Descriptor(OCI_INDEX, LAYER, 7)
        full = Descriptor(OCI_MANIFEST, CONFIG, 8, None, {"a": "\u00e9"}, "a/b")
        self.assertEqual(
            json.loads(referrers_index([bare, full])),
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [
                    descriptor(OCI_INDEX, LAYER, 7),
                    descriptor(
                        OCI_MANIFEST, CONFIG, 8, artifactType="a/b", annotations={"a": "\u00e9"}
                    ),
                ],
            },
        )

    def test_empty_index(self) -> None:
        """Without referrers, the list is empty."""
        self.assertEqual(
            referrers_index([]),
            b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",'
            b'"manifests":[]}',
        )


class FallbackTagTests(SynchronousTestCase):
    """Tests for the fallback tag."""

    def test_tag(self) -> None:
        """The tag is the digest, cut to the length that a tag may have."""
        self.assertEqual(fallback_tag(SUBJECT), f"sha256-{SUBJECT.encoded}")
        long = Digest.of(b"", "sha512")
        self.assertEqual(fallback_tag(long), f"sha512-{long.encoded[:64]}")

    def test_subject(self) -> None:
        """The subject is found by the tag."""
        subjects = [LAYER, SUBJECT]
        self.assertEqual(subject_of_fallback_tag(fallback_tag(SUBJECT), subjects), SUBJECT)
        self.assertIsNone(subject_of_fallback_tag(fallback_tag(CONFIG), subjects))
        self.assertIsNone(subject_of_fallback_tag("latest", subjects))
