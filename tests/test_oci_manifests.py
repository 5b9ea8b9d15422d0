"""Tests for ``minreg.oci.manifests``."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.manifests import (
    Descriptor,
    Manifest,
    ManifestInvalid,
    looks_like_manifest,
    parse_manifest,
)
from minreg.oci.names import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    Digest,
    is_media_type,
)
from minreg.oci.platforms import Platform
from tests.trees import descriptor, index

CONFIG = Digest.of(b"{}")
LAYER = Digest.of(b"layer")
IMAGE = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "config": descriptor(OCI_CONFIG, CONFIG, 2),
    "layers": [descriptor(OCI_LAYER, LAYER, 5)],
}


def parse(document: Any) -> Manifest:
    """Parse a document."""
    return parse_manifest(json.dumps(document).encode())


class PlatformTests(SynchronousTestCase):
    """Tests for ``Platform``."""

    def test_text(self) -> None:
        """A platform is parsed and written as ``os/architecture/variant``."""
        for text in ("linux/amd64", "linux/arm/v7"):
            self.assertEqual(str(Platform.parse(text)), text)
        self.assertEqual(Platform.parse("linux/arm/v7"), Platform("linux", "arm", "v7"))

    def test_json(self) -> None:
        """Empty parts of a platform are left out."""
        self.assertEqual(
            Platform.parse("linux/amd64").as_json(), {"os": "linux", "architecture": "amd64"}
        )
        self.assertEqual(Platform.parse("linux/arm/v7").as_json()["variant"], "v7")

    def test_what_is_no_platform(self) -> None:
        """Anything else is refused with an example."""
        for text in ("", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux//v7"):
            error = self.assertRaises(ValueError, Platform.parse, text)
            self.assertIn("is not a platform such as linux/amd64", str(error))


class ParseManifestTests(SynchronousTestCase):
    """Tests for ``parse_manifest``."""

    def test_image(self) -> None:
        """A manifest has its config and its layers."""
        manifest = parse(IMAGE)
        self.assertEqual(manifest.media_type, OCI_MANIFEST)
        self.assertEqual((manifest.is_index, manifest.states_media_type), (False, True))
        config = Descriptor(OCI_CONFIG, CONFIG, 2)
        layer = Descriptor(OCI_LAYER, LAYER, 5)
        self.assertEqual(list(manifest.blobs), [config, layer])
        self.assertEqual((manifest.manifests, manifest.malformed), ((), ()))

    def test_index(self) -> None:
        """An index has a manifest for each platform."""
        platform = {"os": "linux", "architecture": "arm", "variant": "v7"}
        child = descriptor(OCI_MANIFEST, LAYER, 5, platform=platform, artifactType="a/b")
        manifest = parse(index([child], annotations={"a": "b", "c": 1}))
        self.assertEqual((manifest.media_type, manifest.is_index), (OCI_INDEX, True))
        self.assertEqual(
            manifest.manifests,
            (
                Descriptor(
                    OCI_MANIFEST, LAYER, 5, Platform("linux", "arm", "v7"), artifact_type="a/b"
                ),
            ),
        )
        self.assertEqual(manifest.annotations, {"a": "b"})
        self.assertEqual(list(manifest.blobs), [])

    def test_media_type_by_shape(self) -> None:
        """The media type of a document that does not state one follows from its fields."""
        for stated in ({}, {"mediaType": None}, {"mediaType": "no media type; at all"}):
            image = parse({"config": IMAGE["config"], "layers": [], **stated})
            self.assertEqual(
                (image.media_type, image.is_index, image.states_media_type),
                (OCI_MANIFEST, False, False),
            )
            empty = parse({"manifests": [], **stated})
            self.assertEqual(
                (empty.media_type, empty.is_index, empty.states_media_type),
                (OCI_INDEX, True, False),
            )

    def test_other_media_types(self) -> None:
        """The media type of a document is the one that it states."""
        for stated in (DOCKER_MANIFEST, DOCKER_INDEX, "application/vnd.example+json"):
            manifest = parse({"mediaType": stated})
            self.assertEqual(manifest.media_type, stated)
            self.assertEqual(manifest.is_index, stated == DOCKER_INDEX)

    def test_referrer(self) -> None:
        """A signature has the manifest that it signs as its subject."""
        manifest = parse(
            {
                **IMAGE,
                "artifactType": "application/vnd.example.signature",
                "subject": descriptor(OCI_INDEX, CONFIG, 9),
            }
        )
        self.assertEqual(manifest.subject, Descriptor(OCI_INDEX, CONFIG, 9))
        self.assertEqual(manifest.artifact_type, "application/vnd.example.signature")

    def test_kinds_of_descriptors(self) -> None:
        """A descriptor shows whether it is for an index, a manifest or a blob."""
        kinds = [
            (
                Descriptor(media_type, LAYER, 1).is_index,
                Descriptor(media_type, LAYER, 1).is_manifest,
            )
            for media_type in (OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST, OCI_LAYER)
        ]
        self.assertEqual(kinds, [(True, True)] * 2 + [(False, True)] * 2 + [(False, False)])

    def test_malformed_descriptors(self) -> None:
        """A malformed descriptor is left out and reported; the others are parsed."""
        good = descriptor(OCI_LAYER, LAYER, 5)
        layers = [
            7,
            {**good, "size": -1},
            {**good, "size": True},
            {**good, "size": "5"},
            {**good, "size": 2**63},
            {**good, "mediaType": "none"},
            {**good, "digest": "sha256:0"},
            {**good, "digest": None},
            good,
        ]
        manifest = parse({**IMAGE, "layers": layers, "subject": "x"})
        self.assertEqual(manifest.layers, (Descriptor(OCI_LAYER, LAYER, 5),))
        self.assertIsNone(manifest.subject)
        self.assertEqual(
            [told.split(":")[0] for told in manifest.malformed],
            ["layers[0] is not an object"]
            + [f"layers[{at}] has no size" for at in (1, 2, 3, 4)]
            + [
                "layers[5] has no media type",
                "layers[6]",
                "layers[7]",
                "subject is not an object",
            ],
        )

    def test_platform_that_says_nothing(self) -> None:
        """A platform without an operating system or an architecture is none."""
        for platform in ({}, {"os": "linux"}, {"architecture": "arm"}, {"os": 1}, "linux/arm"):
            child = descriptor(OCI_MANIFEST, LAYER, 5, platform=platform)
            self.assertIsNone(parse(index([child])).manifests[0].platform)


class ManifestInvalidTests(SynchronousTestCase):
    """A document that is not a manifest, or is ambiguous, is refused with the reason."""

    def assert_invalid(self, content: bytes, reason: str) -> None:
        """Check that content is refused for a reason."""
        error = self.assertRaises(ManifestInvalid, parse_manifest, content)
        self.assertIn(reason, str(error))
        self.assertFalse(looks_like_manifest(content))

    def test_no_json(self) -> None:
        """Bytes that are not JSON."""
        deep = b'{"a":' * 100_000
        for content in (
            b"",
            b"\0",
            b"\xff\xfe\0",
            b"{",
            b"\x1f\x8b",
            b"9" * 5000,
            b"\xed\xa0",
            deep,
        ):
            self.assert_invalid(content, "it is not JSON: ")

    def test_no_object(self) -> None:
        """JSON that is not an object."""
        for content in (b"[]", b"null", b"1", b'"{}"', b"NaN"):
            self.assert_invalid(content, "it is not a JSON object")

    def test_no_shape(self) -> None:
        """An object with the fields of neither, such as an image's config."""
        documents: list[dict[str, object]] = [
            {},
            {"config": {}},
            {"layers": []},
            {"manifests": {}},
        ]
        for document in documents:
            self.assert_invalid(json.dumps(document).encode(), "neither a manifest nor an index")

    def test_schema_1(self) -> None:
        """Docker's schema 1."""
        for document in (
            {"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"},
            {"mediaType": "application/vnd.docker.distribution.manifest.v1+json"},
            {**IMAGE, "fsLayers": []},
        ):
            self.assert_invalid(json.dumps(document).encode(), "Docker schema 1")

    def test_ambiguous(self) -> None:
        """A document that is an index to one client and a manifest to another."""
        both = {"mediaType": "a/b", "manifests": [], "layers": []}
        self.assert_invalid(json.dumps(both).encode(), "the fields of an index and of a manifest")
        self.assert_invalid(
            json.dumps(index([], mediaType=OCI_MANIFEST)).encode(),
            "the fields of an index and the media type of a manifest",
        )
        self.assert_invalid(
            json.dumps({**IMAGE, "mediaType": OCI_INDEX}).encode(),
            "the fields of a manifest and the media type of an index",
        )


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([OCI_INDEX, OCI_MANIFEST, "sha256:" + "0" * 64, "linux", 10**400]),
)
KEYS = st.sampled_from(
    [
        "mediaType",
        "manifests",
        "config",
        "layers",
        "subject",
        "annotations",
        "platform",
        "os",
        "artifactType",
        "architecture",
        "variant",
        "digest",
        "size",
        "fsLayers",
        "blobs",
    ]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(KEYS, st.text(max_size=5)), inner, max_size=8),
    ),
    max_leaves=15,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=8)


class HostileManifestTests(SynchronousTestCase):
    """Tests that any content gives a manifest or ``ManifestInvalid``."""

    def assert_sound(self, manifest: Manifest) -> None:
        """Check that the manifest can be sent in headers and as JSON."""
        self.assertTrue(is_media_type(manifest.media_type))
        self.assertIsInstance(manifest.artifact_type, str)
        json.dumps(dict(manifest.annotations)).encode("ascii")
        for found in (*manifest.blobs, *manifest.manifests):
            self.assertTrue(is_media_type(found.media_type))
            self.assertEqual(Digest.parse(str(found.digest)), found.digest)
            self.assertGreaterEqual(found.size, 0)
            if found.platform is not None:
                json.dumps(found.platform.as_json()).encode("ascii")
        self.assertFalse(manifest.manifests and list(manifest.blobs))

    @settings(deadline=None, database=None)
    @given(st.one_of(st.binary(), st.binary().map(lambda tail: b"{" + tail)))
    def test_any_bytes(self, content: bytes) -> None:
        """Any bytes."""
        try:
            self.assert_sound(parse_manifest(content))
        except ManifestInvalid:
            self.assertFalse(looks_like_manifest(content))

    @settings(deadline=None, database=None)
    @given(st.one_of(JSON, OBJECTS), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
    def test_any_json(self, document: object, encoding: str) -> None:
        """Any JSON, with numbers that JSON does not have and lone surrogates."""
        content = json.dumps(document).encode(encoding)
        try:
            self.assert_sound(parse_manifest(content))
        except ManifestInvalid:
            self.assertFalse(looks_like_manifest(content))

    def test_lone_surrogate(self) -> None:
        """A lone surrogate in an annotation is harmless."""
        manifest = parse_manifest(
            b'{"mediaType": "a/b", "artifactType": "\\ud800", "annotations": {"a": "\\udc00"}}'
        )
        self.assert_sound(manifest)


class LooksLikeManifestTests(SynchronousTestCase):
    """Tests for ``looks_like_manifest``."""

    def looks(self, document: object) -> bool:
        """Call it with a document's JSON."""
        return looks_like_manifest(json.dumps(document).encode())

    def test_manifests(self) -> None:
        """A document is a manifest if it states its media type, or has all parts."""
        config = descriptor(OCI_CONFIG, Digest.of(b"c"), 1)
        layer = descriptor(OCI_LAYER, Digest.of(b"l"), 1)
        child = descriptor(OCI_MANIFEST, Digest.of(b"m"), 1)
        self.assertTrue(self.looks({"config": config, "layers": [layer]}))
        self.assertTrue(self.looks({"manifests": [child]}))
        self.assertTrue(self.looks(index([])))
        self.assertTrue(self.looks({"mediaType": OCI_MANIFEST}))

    def test_others(self) -> None:
        """A config, a chart, an attestation or an incomplete manifest is not one."""
        documents: list[dict[str, object]] = [
            {"os": "linux", "config": {"Env": []}, "rootfs": {"diff_ids": []}},
            {"config": {}, "layers": []},
            {"config": {"size": 1}, "layers": [{}]},
            {"manifests": []},
            {"manifests": ["deployment.yaml"]},
            {"mediaType": "application/vnd.example+json", "manifests": []},
        ]
        for document in documents:
            self.assertFalse(self.looks(document), document)
