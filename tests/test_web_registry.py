"""Tests for ``minreg.web.registry.endpoints``: paths, blobs, manifests and referrers."""

import json
import os

from minreg.oci.names import DOCKER_INDEX, DOCKER_MANIFEST, OCI_EMPTY, OCI_MANIFEST, Digest
from tests.blobs import DIGEST, LAYER, TAG, BlobTestCase
from tests.support import WebTestCase
from tests.trees import descriptor, index


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


API_LAYER = b"0123456789"


class PathTests(WebTestCase):
    """Tests for the paths of the API."""

    def setUp(self) -> None:
        """Add an image to the tree, in a repository called like endpoints."""
        super().setUp()
        self.digest = self.tree.add_image("tags/manifests/referrers", "list", API_LAYER)

    def test_base(self) -> None:
        """``/v2/`` answers 200, with or without the slash."""
        for path in ("/v2/", "/v2", "/v2/?ns=docker.io", "http://registry/v2/", "HTTP://r/v2"):
            response = self.request(path)
            self.assertEqual((response.code, response.body), (200, b"{}"))
            self.assertEqual(response.header("content-type"), "application/json")
            self.assertEqual(response.header("content-length"), "2")
            self.assertEqual(response.header("docker-distribution-api-version"), "registry/2.0")
            self.assertRegex(response.headers["server"], r"\Aminreg/\d+\.\d+\.\d+")
            self.assertRegex(response.headers["date"], r"\A[A-Z][a-z]{2}, \d\d .* GMT\Z")

    def test_end_of_path_decides(self) -> None:
        """A repository may be called like the endpoints."""
        name = "tags/manifests/referrers"
        for path in (
            f"/v2/{name}/manifests/list",
            f"/v2/{name}/manifests/{self.digest}",
            f"/v2/{name}/blobs/{Digest.of(API_LAYER)}",
            f"/v2/{name}/tags/list",
            f"/v2/{name}/referrers/{self.digest}",
            f"http://registry:9080/v2/{name}/tags/list",
        ):
            self.assertEqual(self.request(path).code, 200, path)

    def test_percent_encoding(self) -> None:
        """A path has the same meaning if its characters are percent-encoded."""
        for path in (
            f"/v2/tags/manifests/referrers/manifests/{self.digest}".replace(":", "%3A"),
            "/%762/%74ags/manifests/referrers/tags/l%69st",
            "/v2/tags%2Fmanifests%2freferrers/tags/list",
            "/v2/%5Fcatalog",
        ):
            self.assertEqual(self.request(path).code, 200, path)

    def test_no_endpoint(self) -> None:
        """Every other path is refused with a JSON document."""
        for path in (
            "/", "//", "/v1/", "/v3", "/v2//", "/index.html", "/favicon.ico", "*", "v2x",
            "/v2/a", "/v2/a/", "/v2/_catalog/", "/v2/_catalog/x", "/v2/tags/list", "/V2/",
            "/v2/a/tags", "/v2/a/tags/", "/v2/a/tags/lists", "/v2/a/tags/list/",
            "/v2/a/blobs/uploads/", "/v2/a/manifests/1/x", "http://registry", "http://registry/",
        ):  # fmt: skip
            response = self.request(path)
            self.assertEqual((response.code, response.error_code), (404, "UNSUPPORTED"), path)
            self.assertEqual(response.header("content-type"), "application/json")
            self.assertEqual(response.header("docker-distribution-api-version"), "registry/2.0")

    def test_name_invalid(self) -> None:
        """A name that breaks the grammar is never looked up in the tree."""
        for name in (
            "A", "a//b", "/a", "a/", "..", "a/../b", "%2e%2e", "..%2F..%2Fetc", "a%00", "%ff",
            "a%0Ab", "-a", "a_", "a..b", "a___b", "a%20b", "a b".replace(" ", "+"), "x" * 256,
        ):  # fmt: skip
            for rest in ("tags/list", "manifests/1", "blobs/1", "referrers/1"):
                response = self.request(f"/v2/{name}/{rest}")
                self.assertEqual((response.code, response.error_code), (400, "NAME_INVALID"), name)

    def test_name_unknown(self) -> None:
        """A missing repository is unknown, and the error names it."""
        for rest in (
            "tags/list",
            "manifests/1",
            f"manifests/{self.digest}",
            f"blobs/{Digest.of(API_LAYER)}",
            f"referrers/{self.digest}",
        ):
            response = self.request(f"/v2/no/such/{rest}")
            self.assertEqual((response.code, response.error_code), (404, "NAME_UNKNOWN"))
            self.assertEqual(response.json["errors"][0]["detail"], {"name": "no/such"})


class MethodTests(WebTestCase):
    """Tests for other methods than GET."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.digest = self.tree.add_image("a", "1", API_LAYER)
        self.paths = [
            "/v2/", "/v2", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/1", "/", "*",
            f"/v2/a/manifests/{self.digest}", f"/v2/a/blobs/{Digest.of(API_LAYER)}",
            f"/v2/a/referrers/{self.digest}", "/nowhere", "/v2/a/manifests/unknown",
            "/v2/a/blobs/sha256:0", "/v2/A/tags/list", "/v2/no/tags/list",
        ]  # fmt: skip

    def test_head(self) -> None:
        """HEAD has the same status and header as GET on every path, and no body."""
        for path in self.paths:
            got, headed = self.request(path), self.request(path, "HEAD")
            self.assertEqual(headed.body, b"", path)
            self.assertEqual(headed.code, got.code, path)
            self.assertEqual({**headed.headers, "date": ""}, {**got.headers, "date": ""}, path)
            self.assertEqual(headed.header("content-length"), str(len(got.body)), path)

    def test_unsupported(self) -> None:
        """Every other method is refused on every path, and ``Allow`` lists the allowed ones."""
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"):
            for path in self.paths:
                response = self.request(path, method)
                self.assertEqual((response.code, response.error_code), (405, "UNSUPPORTED"))
                self.assertEqual(response.header("allow"), "GET, HEAD")
                self.assertEqual(response.header("content-type"), "application/json")
                self.assertIn(method, response.json["errors"][0]["message"])

    def test_push(self) -> None:
        """Pushing and deleting are refused at once."""
        for method, path in (
            ("POST", "/v2/a/blobs/uploads/"),
            ("POST", f"/v2/a/blobs/uploads/?mount={self.digest}&from=b"),
            ("PATCH", "/v2/a/blobs/uploads/1"),
            ("PUT", f"/v2/a/blobs/uploads/1?digest={self.digest}"),
            ("PUT", "/v2/a/manifests/2"),
            ("DELETE", "/v2/a/manifests/1"),
        ):
            response = self.request(path, method)
            self.assertEqual((response.code, response.error_code), (405, "UNSUPPORTED"))


class NamespaceTests(WebTestCase):
    """Tests for the namespace that a client names (``ns``)."""

    def setUp(self) -> None:
        """Add images of two registries to the tree, and one without a registry."""
        super().setUp()
        for name in ("docker.io/library/busybox", "quay.io/a/b", "plain/c"):
            self.tree.add_image(name, "1")

    def test_decides(self) -> None:
        """The namespace selects the repository, and ``OCI-Namespace`` says so."""
        for name, namespace, shown in (
            ("a/b", "quay.io", "quay.io"),
            ("a/b", "QUAY.IO%3A443", "quay.io"),
            ("library/busybox", "docker.io", "docker.io"),
            ("busybox", "registry-1.docker.io", "docker.io"),
            ("busybox", "bootstrap-registry.airgap", "bootstrap-registry.airgap"),
        ):
            response = self.request(f"/v2/{name}/manifests/1?ns={namespace}")
            self.assertEqual(response.code, 200, namespace)
            self.assertEqual(response.header("oci-namespace"), shown)

    def test_does_not_decide(self) -> None:
        """If the namespace did not decide, the response has no ``OCI-Namespace``."""
        for path in ("/v2/plain/c/manifests/1?ns=gcr.io", "/v2/quay.io/a/b/manifests/1"):
            response = self.request(path)
            self.assertEqual(response.code, 200)
            self.assertIsNone(response.header("oci-namespace"))

    def test_every_endpoint(self) -> None:
        """The namespace applies to blobs, tags and referrers too."""
        digest = Digest.of(b"layer")
        for rest in (f"blobs/{digest}", "tags/list", f"referrers/{digest}"):
            response = self.request(f"/v2/a/b/{rest}?ns=quay.io")
            self.assertEqual(response.code, 200)
            self.assertEqual(response.header("oci-namespace"), "quay.io")

    def test_other_registry(self) -> None:
        """An image of one registry is never served for another."""
        response = self.request("/v2/a/b/manifests/1?ns=docker.io")
        self.assertEqual((response.code, response.error_code), (404, "NAME_UNKNOWN"))

    def test_malformed(self) -> None:
        """A namespace that is not a host, or is given twice, is refused."""
        for query in (
            "ns=", "ns=a&ns=b", "ns=a&ns=a", "ns=../etc", "ns=a/b", "ns=%00", "ns=%ff", "ns=a%20b",
            "ns=http://a", "ns=a:b", "ns=a:123456", "ns=-a", "ns=" + "x" * 300,
        ):  # fmt: skip
            for path in ("/v2/plain/c/manifests/1", "/v2/_catalog"):
                response = self.request(f"{path}?{query}")
                self.assertEqual((response.code, response.error_code), (400, "NAME_INVALID"))
                self.assertIsNone(response.header("oci-namespace"))


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
