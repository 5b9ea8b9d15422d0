"""Tests for ``minreg.web.blobs``."""

from minreg.names import Digest
from tests.support import WebTestCase

LAYER = b"0123456789"


class BlobResourceTests(WebTestCase):
    """Tests for ``BlobResource``."""

    def setUp(self) -> None:
        """Put an image with one small layer into the tree."""
        super().setUp()
        self.tree.add_image("rancher/pause", "3.6", LAYER)
        self.path = f"/v2/rancher/pause/blobs/{Digest.of(LAYER)}"

    def test_whole(self) -> None:
        """A client gets the blob's bytes, and is told what they are."""
        response = self.request(self.path)
        self.assertEqual((response.code, response.body), (200, LAYER))
        self.assertEqual(response.header("content-type"), "application/octet-stream")
        self.assertEqual(response.header("content-length"), "10")
        self.assertEqual(response.header("docker-content-digest"), str(Digest.of(LAYER)))
        self.assertEqual(response.header("etag"), f'"{Digest.of(LAYER)}"')

    def test_resume(self) -> None:
        """A client that has the start of a blob gets the rest of it."""
        response = self.request(self.path, headers={"range": "bytes=7-"})
        self.assertEqual((response.code, response.body), (206, b"789"))
        self.assertEqual(response.header("content-range"), "bytes 7-9/10")
