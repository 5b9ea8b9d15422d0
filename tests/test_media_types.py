"""Tests for ``minreg.oci.names``."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci import names as media_types
from minreg.oci.names import is_media_type


class MediaTypeTests(SynchronousTestCase):
    """Tests for the media types."""

    def test_literals(self) -> None:
        """The media types are those of the specifications, letter by letter."""
        self.assertEqual(
            media_types.INDEXES,
            {
                "application/vnd.oci.image.index.v1+json",
                "application/vnd.docker.distribution.manifest.list.v2+json",
            },
        )
        self.assertEqual(
            media_types.MANIFESTS,
            {
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.artifact.manifest.v1+json",
                "application/vnd.docker.distribution.manifest.v2+json",
            },
        )
        self.assertEqual(
            media_types.DOCKER_SCHEMA_1,
            {
                "application/vnd.docker.distribution.manifest.v1+json",
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
            },
        )
        self.assertEqual(media_types.OCI_CONFIG, "application/vnd.oci.image.config.v1+json")
        self.assertEqual(media_types.OCI_LAYER, "application/vnd.oci.image.layer.v1.tar")
        self.assertEqual(media_types.OCI_EMPTY, "application/vnd.oci.empty.v1+json")
        self.assertEqual(
            media_types.DOCKER_CONFIG, "application/vnd.docker.container.image.v1+json"
        )
        self.assertEqual(media_types.DOCKER_LAYER, "application/vnd.docker.image.rootfs.diff.tar")

    def test_grammar(self) -> None:
        """A media type has two names and no parameters."""
        for text in (media_types.OCI_INDEX, "a/b", "text/x!#$&^_.+-y", f"{'a' * 127}/b"):
            self.assertTrue(is_media_type(text), text)
        for text in (
            "",
            "a",
            "/",
            "a/",
            "/b",
            "a/b/c",
            "a/b; charset=utf-8",
            "a/b\r\nX: y",
            "a /b",
            "+a/b",
            "\u00e4/b",
            f"{'a' * 128}/b",
        ):
            self.assertFalse(is_media_type(text), text)

    @settings(deadline=None, database=None)
    @given(st.text(st.sampled_from('aZ0/;+. \r\n\0"\u00e4'), max_size=12))
    def test_fit_for_headers(self, text: str) -> None:
        """A valid media type can be sent in a header unchanged."""
        if is_media_type(text):
            self.assertTrue(text.isascii())
            self.assertTrue(text.isprintable())
            self.assertNotIn(" ", text)
