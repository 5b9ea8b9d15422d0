"""Tests for ``minreg.web.registry.endpoints``."""

import os

from minreg.oci.names import Digest
from tests.blobs import DIGEST, LAYER, TAG, BlobTestCase


class BlobResourceTests(BlobTestCase):
    """Tests for ``BlobResource``."""

    def test_whole(self) -> None:
        """The response has the blob's bytes, its media type and its digest."""
        response = self.get(accept_encoding="zstd;q=1.0, gzip;q=0.8")
        self.assertEqual((response.code, response.body), (200, LAYER))
        self.assertEqual(response.header("content-type"), "application/octet-stream")
        self.assertEqual(response.header("content-length"), "10")
        self.assertEqual(response.header("docker-content-digest"), str(DIGEST))
        self.assertEqual(response.header("etag"), TAG)
        self.assertEqual(response.header("accept-ranges"), "bytes")
        self.assertEqual(response.header("cache-control"), "public, max-age=31536000, immutable")
        self.assertIsNone(response.header("content-encoding"))
        self.assertIsNone(response.header("content-range"))

    def test_sha512(self) -> None:
        """A blob that is stored under its SHA-512 digest is served under it."""
        digest = Digest.of(LAYER, "sha512")
        self.tree.write(LAYER, "blobs", str(digest))
        response = self.request(f"/v2/rancher/pause/blobs/{digest}")
        self.assertEqual((response.code, response.body), (200, LAYER))
        self.assertEqual(response.header("docker-content-digest"), str(digest))

    def test_unknown(self) -> None:
        """A missing blob is unknown, and the error names it."""
        digest = Digest.of(b"unknown")
        response = self.request(f"/v2/rancher/pause/blobs/{digest}")
        self.assertEqual((response.code, response.error_code), (404, "BLOB_UNKNOWN"))
        self.assertEqual(
            response.json["errors"][0]["detail"], {"name": "rancher/pause", "digest": str(digest)}
        )
        self.assertIsNone(response.header("cache-control"))
        self.assertIsNone(response.header("etag"))

    def test_digest_invalid(self) -> None:
        """Text that is not a digest never becomes part of a path."""
        for text in (
            "", "1", "sha256:1", f"sha256:{'A' * 64}", f"{DIGEST}0", f"{DIGEST}%00", "%2e%2e",
            f"..%2f{DIGEST}", "sha1:" + "0" * 40, f"{DIGEST}%0a", "sha256%3A" + "%ff" * 64,
        ):  # fmt: skip
            response = self.request(f"/v2/rancher/pause/blobs/{text}")
            self.assertEqual((response.code, response.error_code), (400, "DIGEST_INVALID"), text)

    def test_manifest(self) -> None:
        """A manifest is not served as a blob."""
        response = self.request(f"/v2/rancher/pause/blobs/{self.manifest}")
        self.assertEqual((response.code, response.error_code), (404, "BLOB_UNKNOWN"))

    def test_damaged(self) -> None:
        """A blob of the wrong size is not served; the response and the log have the reason."""
        path = self.tree.write(LAYER[:5], "blobs", str(DIGEST))
        response = self.get()
        self.assertEqual((response.code, response.error_code), (404, "BLOB_UNKNOWN"))
        message = response.json["errors"][0]["message"]
        self.assertIn("damaged", message)
        self.assertNotIn(path, message)
        self.assertIn(path, self.logged("content_invalid")[0]["reason"])

    def test_never_opened(self) -> None:
        """A fifo or a link out of the root is refused at once."""
        path = self.tree.path("blobs", str(DIGEST))
        secret = self.tree.write(LAYER, "..", f"{os.path.basename(self.root)}-secret")
        os.remove(path)
        for make in (os.mkfifo, os.mkdir, lambda place: os.symlink(secret, place)):
            make(path)
            self.assertEqual(self.get().error_code, "BLOB_UNKNOWN")
            os.rename(path, f"{path}-{len(os.listdir(os.path.dirname(path)))}")
