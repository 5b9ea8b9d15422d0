"""Tests for ``minreg.web.registry.endpoints``."""

from minreg.oci.names import OCI_EMPTY, OCI_MANIFEST, Digest
from tests.support import WebTestCase
from tests.trees import descriptor

SBOM = "application/spdx+json"


class ReferrersResourceTests(WebTestCase):
    """Tests for ``ReferrersResource``."""

    def setUp(self) -> None:
        """Add an image with an SBOM and a signature to the tree."""
        super().setUp()
        self.subject = self.tree.add_image("a", "1")
        subject = descriptor(OCI_MANIFEST, self.subject, 1)
        self.sbom = self.tree.add_manifest(
            "a", self.tree.image(subject=subject, artifactType=SBOM, annotations={"k": "v"})
        )
        self.fingerprint = self.tree.add_manifest("a", self.tree.image(subject=subject))
        self.path = f"/v2/a/referrers/{self.subject}"

    def digests(self, query: str = "") -> list[str]:
        """Request the referrers, and return their digests."""
        return [found["digest"] for found in self.request(self.path + query).json["manifests"]]

    def test_index(self) -> None:
        """The response is an index, with the type and the annotations of each referrer."""
        response = self.request(self.path)
        self.assertEqual(response.code, 200)
        self.assertEqual(
            response.header("content-type"), "application/vnd.oci.image.index.v1+json"
        )
        self.assertEqual(response.header("content-length"), str(len(response.body)))
        self.assertIsNone(response.header("oci-filters-applied"))
        self.assertEqual(response.json["schemaVersion"], 2)
        self.assertEqual(response.json["mediaType"], "application/vnd.oci.image.index.v1+json")
        self.assertCountEqual(self.digests(), [str(self.sbom), str(self.fingerprint)])
        (sbom,) = [
            found for found in response.json["manifests"] if found["digest"] == str(self.sbom)
        ]
        self.assertEqual(sbom["mediaType"], OCI_MANIFEST)
        self.assertEqual(sbom["artifactType"], SBOM)
        self.assertEqual(sbom["annotations"], {"k": "v"})

    def test_filter(self) -> None:
        """A client can filter by artifact type, and the response says so."""
        response = self.request(f"{self.path}?artifactType=application%2Fspdx%2Bjson")
        self.assertEqual(response.header("oci-filters-applied"), "artifactType")
        self.assertEqual(self.digests("?artifactType=application%2Fspdx%2Bjson"), [str(self.sbom)])

    def test_filter_finds_none(self) -> None:
        """For a type that no referrer has, the index is empty."""
        self.assertEqual(self.digests(f"?artifactType={OCI_EMPTY}"), [])
        self.assertEqual(self.digests("?artifactType=%ff"), [])

    def test_empty_filter(self) -> None:
        """An empty filter has no effect."""
        self.assertIsNone(self.request(f"{self.path}?artifactType=").header("oci-filters-applied"))

    def test_none(self) -> None:
        """Content without referrers, or missing content, has an empty index."""
        for digest in (self.sbom, Digest.of(b"unknown"), Digest.of(b"unknown", "sha512")):
            response = self.request(f"/v2/a/referrers/{digest}")
            self.assertEqual((response.code, response.json["manifests"]), (200, []))

    def test_digest_invalid(self) -> None:
        """Text that is not a digest is refused."""
        for text in ("1", "sha256:1", "", "%ff", "sha256%3A" + "A" * 64):
            response = self.request(f"/v2/a/referrers/{text}")
            self.assertEqual((response.code, response.error_code), (400, "DIGEST_INVALID"))

    def test_manifests_out_of_reach(self) -> None:
        """A repository that may not be read is answered as missing; the log has the reason."""
        self.tree.add_repository("b")
        self.tree.link_out("c")
        response = self.request(f"/v2/c/referrers/{self.subject}")
        self.assertEqual((response.code, response.error_code), (404, "NAME_UNKNOWN"))
        self.assertIn("leads out of the root", self.logged("content_invalid")[0]["reason"])
