"""Tests for ``minreg.fill.upstream.registry``."""

import json

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import ContentMismatch, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.registry import MAX_MANIFEST, Upstream
from minreg.oci.names import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Digest
from tests.canned import Canned, CannedTransport, MemoryRegistry, Sent, make_upstream

TAG_PATH = "/v2/a/manifests/1"


class UpstreamTests(SynchronousTestCase):
    """Tests for ``Upstream``."""

    def setUp(self) -> None:
        """Have a registry with one image."""
        self.registry = MemoryRegistry()
        image = self.registry.add_image("a", "amd64", b"layer")
        index = self.registry.add_index("a", image, tag="1")
        self.digest = Digest.parse(index["digest"])
        self.transport = CannedTransport(self.registry)
        self.upstream: Upstream = make_upstream(self.transport)

    def refused(self, body: bytes, **headers: str) -> str:
        """Read the manifest with other bytes, and return why it is refused."""
        self.registry.faults[TAG_PATH] = [Canned(200, body, headers)]
        failure = self.assertRaises(UpstreamRefused, self.upstream.read_manifest, "a", "1")
        return str(failure)

    def test_manifest(self) -> None:
        """A manifest is returned with its exact bytes."""
        document = self.upstream.read_manifest("a", "1")
        self.assertEqual(document.digest, self.digest)
        self.assertEqual(document.content, self.registry.contents[TAG_PATH][1])
        accepted = self.transport.sent[0].headers["Accept"]
        for media_type in (OCI_INDEX, OCI_MANIFEST, DOCKER_MANIFEST):
            self.assertIn(media_type, accepted)

    def test_head(self) -> None:
        """The digest of a tag is found without a GET."""
        self.assertEqual(self.upstream.find_digest("a", "1"), self.digest)
        self.assertEqual([request.method for request in self.transport.sent], ["HEAD"])

    def test_head_without_digest(self) -> None:
        """If HEAD does not state the digest, None is returned."""
        self.registry.faults[TAG_PATH] = [Canned(200), Canned(405)]
        self.assertIsNone(self.upstream.find_digest("a", "1"))
        self.assertIsNone(self.upstream.find_digest("a", "1"))

    def test_missing(self) -> None:
        """A missing manifest is refused with the registry's own message."""
        failure = self.assertRaises(UpstreamRefused, self.upstream.read_manifest, "a", "2")
        self.assertEqual(
            str(failure),
            "https://example.com/v2/a/manifests/2: MANIFEST_UNKNOWN unknown (status 404)",
        )
        self.assertRaises(UpstreamRefused, self.upstream.find_digest, "a", "2")

    def test_forbidden(self) -> None:
        """Without a message the status is explained."""
        self.registry.faults[TAG_PATH] = [Canned(403, b"<html>")]
        failure = self.assertRaises(UpstreamRefused, self.upstream.read_manifest, "a", "1")
        self.assertIn("this account has no access to it (status 403)", str(failure))

    def test_long_error(self) -> None:
        """An error response that is too long, or breaks, is reported by its status."""
        self.registry.faults[TAG_PATH] = [
            Canned(404, b"x" * (MAX_MANIFEST + 1)),
            Canned(404, b"x", {"Content-Length": "2"}),
        ]
        for _ in range(2):
            failure = self.assertRaises(UpstreamRefused, self.upstream.read_manifest, "a", "1")
            self.assertIn("the registry does not have it (status 404)", str(failure))

    def test_too_large(self) -> None:
        """A response larger than any manifest is not read to its end."""
        reason = self.refused(b" " * (MAX_MANIFEST + 1))
        self.assertIn("/v2/a/manifests/1 is larger than 8388608 bytes", reason)

    def test_busy(self) -> None:
        """A busy registry is retried, and is an error in the end."""
        self.registry.faults[TAG_PATH] = [Canned(429), Canned(500)]
        self.assertEqual(self.upstream.read_manifest("a", "1").digest, self.digest)
        self.registry.faults[TAG_PATH] = [Canned(503)] * 3
        self.assertRaises(UpstreamUnavailable, self.upstream.read_manifest, "a", "1")

    def test_wrong_bytes(self) -> None:
        """Bytes with another digest are requested again, and never returned."""
        path = f"/v2/a/manifests/{self.digest}"
        self.registry.faults[path] = [Canned(200, b'{"manifests":[]}')]
        self.assertEqual(self.upstream.read_manifest("a", self.digest).digest, self.digest)
        self.registry.faults[path] = [Canned(200, b"{}")] * 3
        self.assertRaises(ContentMismatch, self.upstream.read_manifest, "a", self.digest)

    def test_stated_digest(self) -> None:
        """The bytes of a tag must have the digest in the header."""
        wrong = Canned(200, b"{}", {"Docker-Content-Digest": str(self.digest)})
        self.registry.faults[TAG_PATH] = [wrong] * 3
        self.assertRaises(ContentMismatch, self.upstream.read_manifest, "a", "1")

    def test_schema_1(self) -> None:
        """Docker's schema 1 is refused, and the error says why."""
        reason = self.refused(b'{"schemaVersion":1,"fsLayers":[]}')
        self.assertIn("is invalid: it is a Docker schema 1 manifest", reason)

    def test_two_meanings(self) -> None:
        """A Content-Type that contradicts the mediaType is refused."""
        content = self.registry.contents[TAG_PATH][1]
        reason = self.refused(content, **{"Content-Type": f"{OCI_MANIFEST}; charset=utf-8"})
        self.assertIn("clients would disagree about its meaning", reason)

    def test_malformed(self) -> None:
        """A descriptor without a size is refused."""
        reason = self.refused(json.dumps({"manifests": [{"digest": "x"}]}).encode("ascii"))
        self.assertIn("manifests[0] has no size", reason)

    def test_login(self) -> None:
        """If the registry demands a token, one is requested, and the request sent again."""

        def answer(request: Sent) -> Canned:
            if request.url.startswith("https://auth.example.com/"):
                return Canned(200, b'{"token":"t"}')
            if request.headers.get("Authorization") != "Bearer t":
                line = 'Bearer realm="https://auth.example.com/token"'
                return Canned(401, headers={"WWW-Authenticate": line})
            return self.registry(request)

        upstream = make_upstream(CannedTransport(answer))
        self.assertEqual(upstream.read_manifest("a", "1").digest, self.digest)

    def test_login_in_vain(self) -> None:
        """A registry that accepts no token is an error after a few attempts."""

        def answer(request: Sent) -> Canned:
            line = 'Bearer realm="https://example.com/token",error="insufficient_scope"'
            if request.path == "/token":
                return Canned(200, b'{"token":"t"}')
            return Canned(401, headers={"WWW-Authenticate": line})

        transport = CannedTransport(answer)
        upstream = make_upstream(transport)
        failure = self.assertRaises(UpstreamRefused, upstream.read_manifest, "a", "1")
        self.assertIn("the login is not accepted", str(failure))
        self.assertEqual(len(transport.sent), 6)

    def test_tags(self) -> None:
        """Tags are listed for a message; what is no list of tags is empty."""
        path = "/v2/a/tags/list"
        self.assertEqual(self.upstream.list_tags("a"), ())
        for body, tags in (
            (b'{"name": "a", "tags": ["1", "2", 3, "bad tag"]}', ["1", "2"]),
            (b'{"name": "a", "tags": null}', []),
            (b'{"name": "a"}', []),
            (b"[]", []),
            (b"<html>", []),
            (b"[" * 100_000, []),
            (b"x" * 300_000, []),
        ):
            self.registry.contents[path] = ("application/json", body)
            self.assertEqual(list(self.upstream.list_tags("a")), tags)
        self.registry.faults[path] = [Canned(503)]
        sent = len(self.transport.sent)
        self.assertEqual(self.upstream.list_tags("a"), ())
        self.assertEqual(len(self.transport.sent), sent + 1)

    def test_referrers(self) -> None:
        """A list of referrers must have the Content-Type of an index."""
        path = f"/v2/a/referrers/{self.digest}"
        self.assertIsNone(self.upstream.list_referrers("a", self.digest))
        self.registry.faults[path] = [Canned(200, b"<html>")]
        self.assertIsNone(self.upstream.list_referrers("a", self.digest))
        self.registry.contents[path] = (OCI_INDEX, b'{"schemaVersion":2,"manifests":[]}')
        self.assertEqual(self.upstream.list_referrers("a", self.digest), [])

    def add_page(self, number: int, link: str) -> None:
        """Add a page of a list of referrers with one referrer, and a link to the next page."""
        path = f"/v2/a/referrers/{self.digest}"
        referrer = {"mediaType": OCI_MANIFEST, "digest": str(Digest.of(b"%d" % number)), "size": 1}
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [referrer]}
        headers = (
            {"Content-Type": OCI_INDEX, "Link": link} if link else {"Content-Type": OCI_INDEX}
        )
        pages = self.registry.faults.setdefault(path, [])
        pages.append(Canned(200, json.dumps(index).encode(), headers))

    def test_pages_of_referrers(self) -> None:
        """All pages of a list are read (google/go-containerregistry#2446)."""
        path = f"/v2/a/referrers/{self.digest}"
        self.add_page(1, f'<{path}?n=1&last=x>; rel="next"')
        self.add_page(2, f"<https://example.com{path}?n=1&last=y>; foo=bar; rel=next")
        self.add_page(3, '</v2/a/x>; rel="prev"')
        listed = self.upstream.list_referrers("a", self.digest)
        assert listed is not None
        self.assertEqual(
            [referrer.digest for referrer in listed], [Digest.of(b"%d" % n) for n in (1, 2, 3)]
        )

    def test_invalid_pages_of_referrers(self) -> None:
        """A list that is not complete, is endless or continues elsewhere is an error."""
        path = f"/v2/a/referrers/{self.digest}"
        self.add_page(1, f'<{path}?last=x>; rel="next"')
        self.assertRaises(UpstreamRefused, self.upstream.list_referrers, "a", self.digest)
        self.add_page(1, f'<https://evil.example{path}>; rel="next"')
        self.assertRaises(UpstreamRefused, self.upstream.list_referrers, "a", self.digest)
        for _ in range(100):
            self.add_page(1, f'<{path}?last=x>; rel="next"')
        self.assertRaises(UpstreamRefused, self.upstream.list_referrers, "a", self.digest)
