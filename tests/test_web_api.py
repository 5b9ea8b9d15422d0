"""Tests for ``minreg.web.registry.endpoints``: which resource has which path."""

from minreg.oci.names import Digest
from tests.support import WebTestCase

LAYER = b"0123456789"


class PathTests(WebTestCase):
    """Tests for the paths of the API."""

    def setUp(self) -> None:
        """Add an image to the tree, in a repository called like endpoints."""
        super().setUp()
        self.digest = self.tree.add_image("tags/manifests/referrers", "list", LAYER)

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
            f"/v2/{name}/blobs/{Digest.of(LAYER)}",
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
            f"blobs/{Digest.of(LAYER)}",
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
        self.digest = self.tree.add_image("a", "1", LAYER)
        self.paths = [
            "/v2/", "/v2", "/v2/_catalog", "/v2/a/tags/list", "/v2/a/manifests/1", "/", "*",
            f"/v2/a/manifests/{self.digest}", f"/v2/a/blobs/{Digest.of(LAYER)}",
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
