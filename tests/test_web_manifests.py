"""Tests for ``minreg.web.registry.endpoints``."""

import json

from minreg.oci.names import DOCKER_INDEX, DOCKER_MANIFEST, OCI_MANIFEST, Digest
from tests.support import WebTestCase
from tests.trees import descriptor, index

ACCEPT = {"accept": f"{DOCKER_MANIFEST}, {DOCKER_INDEX}, */*"}


class ManifestResourceTests(WebTestCase):
    """Tests for ``ManifestResource``."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.digest = self.tree.add_image("rancher/pause", "3.6")
        with open(self.tree.path("rancher/pause/manifests/3.6"), "rb") as file:
            self.content = file.read()

    def test_by_tag(self) -> None:
        """A tag gives the manifest's bytes, with all header fields that clients need."""
        response = self.request("/v2/rancher/pause/manifests/3.6", headers=ACCEPT)
        self.assertEqual((response.code, response.body), (200, self.content))
        self.assertEqual(
            response.header("content-type"), "application/vnd.oci.image.manifest.v1+json"
        )
        self.assertEqual(response.header("content-length"), str(len(self.content)))
        self.assertEqual(response.header("docker-content-digest"), str(self.digest))
        self.assertEqual(response.header("etag"), f'"{self.digest}"')
        self.assertEqual(response.header("accept-ranges"), "bytes")
        self.assertEqual(response.header("cache-control"), "no-cache")
        self.assertIsNone(response.header("content-encoding"))
        self.assertIsNone(response.header("transfer-encoding"))

    def test_by_digest(self) -> None:
        """A digest gives the same bytes, which may be cached for ever."""
        response = self.request(f"/v2/rancher/pause/manifests/{self.digest}")
        self.assertEqual((response.code, response.body), (200, self.content))
        self.assertEqual(response.header("docker-content-digest"), str(self.digest))
        self.assertEqual(response.header("cache-control"), "public, max-age=31536000, immutable")

    def test_sha512(self) -> None:
        """A manifest that is stored under its SHA-512 digest is served under it."""
        digest = Digest.of(self.content, "sha512")
        self.tree.write(self.content, "rancher/pause/manifests", str(digest))
        response = self.request(f"/v2/rancher/pause/manifests/{digest}")
        self.assertEqual((response.code, response.body), (200, self.content))
        self.assertEqual(response.header("docker-content-digest"), str(digest))

    def test_docker_media_type(self) -> None:
        """The media type is the manifest's own, whatever ``Accept`` is."""
        self.tree.add_manifest("a", self.tree.image(mediaType=DOCKER_MANIFEST), "1")
        response = self.request("/v2/a/manifests/1", headers={"accept": OCI_MANIFEST})
        self.assertEqual(
            response.header("content-type"),
            "application/vnd.docker.distribution.manifest.v2+json",
        )

    def test_no_media_type(self) -> None:
        """A manifest without a media type gets the one that follows from its fields."""
        document = self.tree.image()
        del document["mediaType"]
        self.tree.add_manifest("a", document, "1")
        response = self.request("/v2/a/manifests/1", "HEAD")
        self.assertEqual(response.header("content-type"), OCI_MANIFEST)

    def test_plus(self) -> None:
        """A ``+`` in a tag is read as ``-``."""
        self.tree.add_image("a", "v1.30.1-k3s1")
        for reference in ("v1.30.1+k3s1", "v1.30.1%2Bk3s1", "v1.30.1-k3s1"):
            self.assertEqual(self.request(f"/v2/a/manifests/{reference}").code, 200)

    def test_unknown_tag(self) -> None:
        """A missing tag is unknown, and the error names it."""
        response = self.request("/v2/rancher/pause/manifests/3.7")
        self.assertEqual((response.code, response.error_code), (404, "MANIFEST_UNKNOWN"))
        self.assertEqual(
            response.json["errors"][0]["detail"], {"name": "rancher/pause", "reference": "3.7"}
        )

    def test_no_tag(self) -> None:
        """Text that cannot be a tag is unknown as well."""
        for reference in ("", ".", "..", "%2e%2e%2fx", "-1", "x" * 129, "a%00", "a%20b", "%ff"):
            response = self.request(f"/v2/rancher/pause/manifests/{reference}")
            self.assertEqual((response.code, response.error_code), (404, "MANIFEST_UNKNOWN"))

    def test_digest_invalid(self) -> None:
        """Text with a colon must be a digest."""
        for reference in ("sha256:", "sha256:12", "md5:" + 32 * "0", f"{self.digest}0", "a:b"):
            response = self.request(f"/v2/rancher/pause/manifests/{reference}")
            self.assertEqual((response.code, response.error_code), (400, "DIGEST_INVALID"))

    def test_blob_is_no_manifest(self) -> None:
        """A layer is not served as a manifest."""
        response = self.request(f"/v2/rancher/pause/manifests/{Digest.of(b'layer')}")
        self.assertEqual((response.code, response.error_code), (404, "MANIFEST_UNKNOWN"))

    def test_sparse_index(self) -> None:
        """An index is served whole; for a missing child, the error names the platform."""
        missing = Digest.of(b"arm64")
        platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}
        document = index([descriptor(OCI_MANIFEST, missing, 5, platform=platform)])
        digest = self.tree.add_manifest("a", document, "1")
        response = self.request("/v2/a/manifests/1")
        self.assertEqual(response.header("docker-content-digest"), str(digest))
        self.assertEqual(
            response.header("content-type"), "application/vnd.oci.image.index.v1+json"
        )
        response = self.request(f"/v2/a/manifests/{missing}")
        self.assertEqual((response.code, response.error_code), (404, "MANIFEST_UNKNOWN"))
        self.assertEqual(
            response.json["errors"][0]["detail"],
            {"name": "a", "reference": str(missing), "platform": platform},
        )

    def test_damaged(self) -> None:
        """A manifest that is not a JSON object is not served; the log names the file."""
        for content in (b"[]", b"no JSON", b"", b"{}"):
            path = self.tree.write(content, "a/manifests", str(Digest.of(content)))
            response = self.request(f"/v2/a/manifests/{Digest.of(content)}")
            self.assertEqual((response.code, response.error_code), (404, "MANIFEST_UNKNOWN"))
            self.assertNotIn(path, response.json["errors"][0]["message"])
            self.assertIn(path, self.logged("content_invalid")[-1]["reason"])

    def test_large(self) -> None:
        """A manifest of five megabytes is served."""
        document = self.tree.image(annotations={"a": "x" * 5_000_000})
        digest = self.tree.add_manifest("a", document, "1")
        response = self.request("/v2/a/manifests/1")
        self.assertEqual(len(response.body), len(json.dumps(document)))
        self.assertEqual(Digest.of(response.body), digest)

    def test_seen_at_once(self) -> None:
        """What was added, moved or removed changes the next response."""
        connection = self.connect()
        path = "/v2/rancher/pause/manifests/latest"
        self.assertEqual(connection.request(path).code, 404)
        self.tree.add_tag("rancher/pause", "latest", self.digest)
        self.assertEqual(connection.request(path).code, 200)
