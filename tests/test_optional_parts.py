"""Tests for ``minreg.fill.optional_parts``: metadata of other platforms, and referrers."""

import json
import os
from typing import Any

from minreg.fill import optional_parts
from minreg.fill.progress import ImageEnded
from minreg.fill.tree.reader import TreeReader
from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.tree import RegistryTree
from tests.canned import Canned
from tests.download_support import DownloadTestCase

AMD64 = (Platform("linux", "amd64"),)


class OptionalPartsTestCase(DownloadTestCase):
    """An image for two platforms, with an attestation."""

    def setUp(self) -> None:
        """Create the image."""
        super().setUp()
        self.amd64 = self.registry.add_image("c", "amd64", b"base", b"x")
        self.arm64 = self.registry.add_image("c", "arm64", b"base", b"y")
        attestation = self.registry.add_image("c", "unknown", b"statement")
        attestation["platform"] = {"os": "unknown", "architecture": "unknown"}
        self.attestation = attestation
        self.index = self.registry.add_index("c", self.amd64, self.arm64, attestation, tag="1")

    def notes(self) -> tuple[str, ...]:
        """Return the notes about the image that ended last; it is complete."""
        ended = [event for event in self.events if isinstance(event, ImageEnded)][-1]
        self.assertEqual(ended.reason, "")
        return ended.notes

    def get(self, digest: str) -> bytes:
        """Return a manifest, as the registry serves it."""
        repository = RegistryTree(self.root).find_repository(None, "c")
        with repository.open_manifest(Digest.parse(digest)).file as file:
            return file.read()

    def requests(self, *words: str) -> list[str]:
        """Return the requests whose path contains one of some words."""
        return [
            f"{request.method} {request.path}"
            for request in self.transport.sent
            if any(word in request.path for word in words)
        ]

    def config_of(self, image: dict[str, Any]) -> str:
        """Return the digest of an image's config."""
        content = self.registry.contents[f"/v2/c/manifests/{image['digest']}"][1]
        return str(json.loads(content)["config"]["digest"])

    def manifest_files(self) -> set[str]:
        """Return the names of the manifests that are stored with their layers."""
        return set(os.listdir(os.path.join(self.root, "c", "manifests")))


class MetadataTests(OptionalPartsTestCase):
    """Tests for the manifests and configs of platforms that are not selected."""

    def test_stored(self) -> None:
        """They are served, and no layer is downloaded for them."""
        summary = self.download("example.com/c:1", platforms=AMD64, metadata=True)
        self.assertEqual((summary.failed, self.notes()), ((), ()))
        for image in (self.arm64, self.attestation):
            stored = self.get(image["digest"])
            self.assertEqual(
                stored, self.registry.contents[f"/v2/c/manifests/{image['digest']}"][1]
            )
            config = Digest.parse(self.config_of(image))
            self.assertTrue(TreeReader(self.root).has_file(f"blobs/{config}"))
        for layer in (b"y", b"statement"):
            self.assertFalse(TreeReader(self.root).has_file(f"blobs/{Digest.of(layer)}"))
        self.assertEqual(self.manifest_files(), {"1", self.index["digest"], self.amd64["digest"]})

    def test_again(self) -> None:
        """The second download requests nothing but the tag."""
        for _ in range(2):
            self.transport.sent.clear()
            self.download("example.com/c:1", platforms=AMD64, metadata=True)
        self.assertEqual(self.requests("/"), ["HEAD /v2/c/manifests/1"])

    def test_sparse(self) -> None:
        """With ``--sparse``, nothing of them is downloaded."""
        self.download("example.com/c:1", platforms=AMD64)
        self.assertEqual(self.requests(self.arm64["digest"]), [])
        self.assertFalse(os.path.exists(os.path.join(self.root, "c", ".metadata")))

    def test_platform_later(self) -> None:
        """A platform whose metadata is stored can be added, and is then stored completely."""
        self.download("example.com/c:1", platforms=AMD64, metadata=True)
        self.transport.sent.clear()
        self.download("example.com/c:1", platforms=(Platform("linux", "arm64"),), metadata=True)
        self.assertIn(self.arm64["digest"], self.manifest_files())
        metadata = os.listdir(os.path.join(self.root, "c", ".metadata"))
        self.assertEqual(metadata, [self.attestation["digest"]])
        self.assertEqual(len(self.requests("/blobs/")), 1)

    def test_manifest_missing(self) -> None:
        """A manifest that the registry lacks is left out, and a note says so."""
        del self.registry.contents[f"/v2/c/manifests/{self.arm64['digest']}"]
        summary = self.download("example.com/c:1", platforms=AMD64, metadata=True)
        self.assertEqual(summary.failed, ())
        [note] = self.notes()
        self.assertRegex(note, r"\Awithout the metadata of linux/arm64 \(.* \(status 404\)\)\Z")

    def test_config_missing(self) -> None:
        """A config that the registry lacks is left out with its manifest."""
        del self.registry.contents[f"/v2/c/blobs/{self.config_of(self.arm64)}"]
        summary = self.download("example.com/c:1", platforms=AMD64, metadata=True)
        self.assertEqual(summary.failed, ())
        [note] = self.notes()
        self.assertIn("without the metadata of linux/arm64 (https://example.com/v2/c/", note)
        metadata = os.listdir(os.path.join(self.root, "c", ".metadata"))
        self.assertEqual(metadata, [self.attestation["digest"]])

    def test_rate_limit(self) -> None:
        """A registry that no longer answers is not asked again, and all images are complete."""
        for name in ("arm64", "s390x"):
            image = self.registry.add_image("d", name, b"d")
            amd64 = self.registry.add_image("d", "amd64", b"d")
            self.registry.add_index("d", amd64, image, tag=name)
            self.registry.faults[f"/v2/d/manifests/{image['digest']}"] = [Canned(429)] * 9
        images = ("example.com/d:arm64", "example.com/d:s390x")
        self.assertEqual(self.download(*images, platforms=AMD64, metadata=True).failed, ())
        self.assertIn("(too many pulls)", self.notes()[0])

    def test_nested_index(self) -> None:
        """The metadata of an index within an index is that of all its manifests."""
        nested = self.registry.add_index("c", self.arm64, tag="nested")
        nested["platform"] = {"os": "linux", "architecture": "arm64"}
        self.registry.add_index("c", self.amd64, nested, tag="2")
        self.download("example.com/c:2", platforms=AMD64, metadata=True)
        self.assertEqual(self.notes(), ())
        self.get(nested["digest"])
        self.get(self.arm64["digest"])

    def test_too_many(self) -> None:
        """More metadata than is read is left out."""
        self.patch(optional_parts, "MAX_MANIFESTS", 1)
        self.download("example.com/c:1", platforms=AMD64, metadata=True)
        self.assertEqual(
            self.notes(),
            ("without some of its metadata and referrers (there are too many of them)",),
        )


class ReferrersTests(OptionalPartsTestCase):
    """Tests for referrers."""

    def add_referrer(self, subject: dict[str, Any], *tags: str, **more: Any) -> dict[str, Any]:
        """Add an artifact that refers to something."""
        config = self.registry.add_blob("c", "application/vnd.oci.empty.v1+json", b"{}")
        layer = self.registry.add_blob("c", "application/x", b"signature %d" % len(more))
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config,
            "layers": [layer],
            "subject": subject,
            **more,
        }
        return self.registry.add_manifest("c", document, *tags)

    def list_referrers(self, subject: dict[str, Any], *referrers: dict[str, Any]) -> None:
        """Have the registry list referrers."""
        listed = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(referrers)}
        self.registry.add_manifest("c", listed, "x")
        content = self.registry.contents.pop("/v2/c/manifests/x")
        self.registry.contents[f"/v2/c/referrers/{subject['digest']}"] = content

    def run_download(self, **more: Any) -> None:
        """Download the image with its referrers."""
        summary = self.download("example.com/c:1", platforms=AMD64, referrers=True, **more)
        self.assertEqual(summary.failed, ())

    def referrers(self, subject: dict[str, Any]) -> list[str]:
        """Return the referrers that the registry lists for a manifest."""
        repository = RegistryTree(self.root).find_repository(None, "c")
        listed = repository.list_referrers(Digest.parse(subject["digest"]))
        return [str(referrer.digest) for referrer in listed]

    def test_none(self) -> None:
        """An image without referrers is complete, and only HEAD requests look for its tags."""
        self.run_download()
        self.assertEqual(self.notes(), ())
        gets = [line for line in self.requests("/manifests/sha256-") if line.startswith("GET")]
        self.assertEqual(gets, [])

    def test_not_selected(self) -> None:
        """With ``--no-referrers``, none are requested."""
        self.download("example.com/c:1", platforms=AMD64)
        self.assertEqual(self.requests("referrers", "sha256-"), [])

    def test_listed(self) -> None:
        """Referrers and their own referrers are downloaded with their blobs."""
        note = self.add_referrer(self.index)
        countersignature = self.add_referrer(note, annotations={"a": "b"})
        self.list_referrers(self.index, note)
        self.list_referrers(note, countersignature)
        self.run_download()
        self.assertEqual(self.referrers(self.index), [note["digest"]])
        self.assertEqual(self.referrers(note), [countersignature["digest"]])
        self.assertEqual(self.notes(), ())
        self.assertTrue(TreeReader(self.root).has_file(f"blobs/{Digest.of(b'signature 1')}"))

    def test_of_other_platforms(self) -> None:
        """Referrers of platforms that are not selected are not looked for."""
        self.run_download(metadata=True)
        self.assertEqual(self.requests(f"referrers/{self.arm64['digest']}"), [])

    def test_fallback_tag(self) -> None:
        """If a registry does not list referrers, the tag of the subject's digest is used."""
        note = self.add_referrer(self.index)
        tag = self.index["digest"].replace(":", "-")
        self.registry.add_index("c", note, tag=tag)
        self.run_download()
        self.assertEqual(self.referrers(self.index), [note["digest"]])
        self.assertEqual(self.tags("c"), ["1", tag])

    def test_signature_tags(self) -> None:
        """Signatures under cosign's tags are included."""
        tag = self.index["digest"].replace(":", "-") + ".sig"
        self.add_referrer(self.index, tag)
        self.run_download()
        self.assertEqual(self.tags("c"), ["1", tag])

    def test_list_refused(self) -> None:
        """A registry without the API, whatever it answers, has no referrers."""
        for status in (400, 403, 404, 405, 501):
            path = f"/v2/c/referrers/{self.index['digest']}"
            self.registry.faults[path] = [Canned(status, b"<html>")]
            self.run_download()
            self.assertEqual(self.notes(), (), status)

    def test_list_unavailable(self) -> None:
        """A registry that fails to list referrers is noted, and the image is complete."""
        path = f"/v2/c/referrers/{self.index['digest']}"
        self.registry.faults[path] = [Canned(500)] * 9
        self.run_download(metadata=True)
        [note] = self.notes()
        self.assertRegex(note, r"\Awithout .*its referrers.* answered with status 500\)\Z")
        self.get(self.arm64["digest"])

    def test_dangling(self) -> None:
        """A referrer that is listed and missing does not fail the image, or the other one."""
        note = self.add_referrer(self.index)
        gone = self.add_referrer(self.index, artifactType="application/gone")
        del self.registry.contents[f"/v2/c/manifests/{gone['digest']}"]
        tag = self.index["digest"].replace(":", "-")
        gone["artifactType"] = "application/gone"
        for has_api in (True, False):
            if has_api:
                self.list_referrers(self.index, gone, note)
            else:
                del self.registry.contents[f"/v2/c/referrers/{self.index['digest']}"]
                self.registry.add_index("c", gone, note, tag=tag)
            self.run_download()
            self.assertEqual(self.referrers(self.index), [note["digest"]])
            self.assertIn("its referrer application/gone (https:", self.notes()[0])
            self.assertEqual(self.tags("c"), ["1"])

    def test_blob_missing(self) -> None:
        """A referrer whose blob is missing is left out, also under its tag."""
        note = self.add_referrer(self.index)
        tag = self.index["digest"].replace(":", "-")
        self.registry.add_index("c", note, tag=tag)
        del self.registry.contents[f"/v2/c/blobs/{Digest.of(b'signature 0')}"]
        self.run_download()
        self.assertEqual(self.referrers(self.index), [])
        self.assertEqual(self.tags("c"), ["1"])
        self.assertEqual(len(self.notes()), 2)

    def test_circle(self) -> None:
        """Referrers that are listed as referrers of each other end."""
        note = self.add_referrer(self.index)
        self.list_referrers(self.index, note)
        self.list_referrers(note, note, self.index)
        self.run_download()
        self.assertEqual(self.notes(), ())

    def test_contradicting_size(self) -> None:
        """A referrer that states another size for a blob of the image is left out."""
        layer = {"mediaType": "x/y", "digest": str(Digest.of(b"base")), "size": 5}
        self.list_referrers(self.index, self.add_referrer(self.index, layers=[layer]))
        self.run_download()
        self.assertIn("two sizes are stated for blob", self.notes()[0])
