"""Tests for ``minreg.oci.manifests`` with hostile content."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.manifests import Manifest, ManifestInvalid, looks_like_manifest, parse_manifest
from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest, is_media_type
from tests.trees import descriptor, index

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
