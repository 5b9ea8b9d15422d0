"""Tests for OCI artifact manifests, which Notation and ORAS pushed in 2022."""

import os
from typing import Any

from click.testing import CliRunner, Result

from minreg.cli import cli
from minreg.oci.names import OCI_MANIFEST, Digest
from minreg.store.tree import RegistryTree
from tests.canned import MemoryRegistry
from tests.download_support import DownloadTestCase


class ArtifactImageTests(DownloadTestCase):
    """Tests for image manifests that are no images, in the shapes that registries accept."""

    def check(self, document: dict[str, Any]) -> None:
        """Download a manifest, and verify the tree."""
        self.registry.add_manifest("art", {"mediaType": OCI_MANIFEST, **document}, "1")
        self.assertEqual(self.download("example.com/art:1").failed, (), document)
        result = CliRunner().invoke(cli, ["verify", "-d", self.root])
        self.assertEqual(result.exit_code, 0, result.output)

    def test_without_layers(self) -> None:
        """The list of layers may be missing or empty (opencontainers/image-spec#1025)."""
        config = self.registry.add_blob("art", "image/gif", b"{}")
        for document in (
            {"schemaVersion": 2, "config": config},
            {"schemaVersion": 2, "config": config, "layers": []},
            {"schemaVersion": 2, "config": config, "layers": None, "artifactType": "a/b"},
        ):
            self.check(document)

    def test_inline_content(self) -> None:
        """Content in the manifest is not requested (PingCAP-QE/ci#5279).

        A mirror had the empty config ``{}`` with no bytes.
        """
        config = {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": str(Digest.of(b"{}")),
            "size": 2,
            "data": "e30=",
        }
        self.check({"schemaVersion": 2, "config": config, "layers": [config]})
        self.assertEqual(self.blob_requests(), [])

    def test_wrong_inline_content(self) -> None:
        """Content that does not have the digest or the size is ignored."""
        for number, data in enumerate(("e30", "e31=", "e30=e30=", "")):
            layer = self.registry.add_blob("art", "a/b", b"{}" + bytes(number))
            layer["data"] = data
            self.check({"schemaVersion": 2, "config": layer, "layers": [layer]})
        self.assertEqual(len(self.blob_requests()), 4)


class ArtifactTests(DownloadTestCase):
    """Tests for downloads of artifacts."""

    def setUp(self) -> None:
        """Create an artifact."""
        super().setUp()
        self.document = {
            "mediaType": "application/vnd.oci.artifact.manifest.v1+json",
            "artifactType": "application/vnd.cncf.notary.signature",
            "blobs": [self.registry.add_blob("art", "application/jose+json", b"sig")],
        }
        self.registry.add_manifest("art", self.document, "1")

    def verify(self) -> Result:
        """Verify the tree."""
        return CliRunner().invoke(cli, ["verify", "-d", self.root])

    def test_blobs(self) -> None:
        """Its blobs are downloaded, and it is complete only with them."""
        summary = self.download("example.com/art:1")
        self.assertEqual((summary.failed, summary.fetched_blobs), ((), 1))
        self.assertEqual(self.verify().exit_code, 0)
        os.unlink(os.path.join(self.root, "blobs", str(Digest.of(b"sig"))))
        result = self.verify()
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"layer {Digest.of(b'sig')} is missing", result.output)

    def test_requested(self) -> None:
        """Registries are asked for manifests of this type."""
        self.download("example.com/art:1")
        [accept] = {
            request.headers["Accept"]
            for request in self.transport.sent
            if "/manifests/" in request.path
        }
        self.assertIn("application/vnd.oci.artifact.manifest.v1+json", accept)

    def test_referrer(self) -> None:
        """One with a subject is listed as a referrer."""
        subject = {key: self.a[key] for key in ("mediaType", "digest", "size")}
        signature = self.registry.add_manifest("a", {**self.document, "subject": subject})
        self.registry.add_blob("a", "application/jose+json", b"sig")
        tag = self.a["digest"].replace(":", "-")
        self.registry.add_index("a", signature, tag=tag)
        self.assertEqual(self.download("example.com/a:1", referrers=True).failed, ())
        repository = RegistryTree(self.root).find_repository(None, "a")
        [referrer] = repository.list_referrers(Digest.parse(self.a["digest"]))
        self.assertEqual(str(referrer.digest), signature["digest"])
        self.assertEqual(referrer.artifact_type, "application/vnd.cncf.notary.signature")

    def test_ambiguous(self) -> None:
        """One that also has layers is refused: clients could read it differently."""
        registry = MemoryRegistry()
        registry.add_manifest("art", {**self.document, "layers": []}, "1")
        self.registry = registry
        self.assertEqual(self.download("example.com/art:1").failed, ("example.com/art:1",))
        self.assertIn("the media type of an artifact", self.ended()["example.com/art:1"])
