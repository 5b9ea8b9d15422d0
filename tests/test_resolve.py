"""Tests for ``minreg.fill.resolve``."""

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import UpstreamRefused
from minreg.fill.resolve import ResolvedImage, Resolver, Selection
from minreg.fill.tree.reader import TreeReader
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstreams
from minreg.oci.names import Digest, ImageReference, NameInvalid
from minreg.oci.platforms import Platform
from tests.canned import CannedTransport, MemoryRegistry, quick_retries

AMD64 = Platform("linux", "amd64")


class ResolverTests(SynchronousTestCase):
    """Tests for ``Resolver``."""

    def setUp(self) -> None:
        """Create a registry with an image for two platforms."""
        self.registry = MemoryRegistry()
        self.amd64 = self.registry.add_image("a", "amd64", b"base", b"x")
        self.arm64 = self.registry.add_image("a", "arm64", b"base", b"y")
        self.index = self.registry.add_index("a", self.amd64, self.arm64, tag="1")
        self.transport = CannedTransport(self.registry)
        self.root = self.mktemp()

    def resolve(self, text: str = "example.com/a:1", **selection: Any) -> ResolvedImage:
        """Resolve an image."""
        upstreams = Upstreams(self.transport, quick_retries(), {})
        contents = TreeReader(self.root)
        resolver = Resolver(upstreams, contents, Selection(**selection))
        return resolver.resolve(ImageReference.parse(text))

    def digests(self, resolved: ResolvedImage) -> list[str]:
        """Return the digests of the manifests."""
        return [str(fetched.digest) for fetched in resolved.manifests]

    def store(self, resolved: ResolvedImage) -> None:
        """Write the manifests and tags into the tree."""
        with TreeWriter(self.root, "a test") as tree:
            for fetched in resolved.manifests:
                tree.write_manifest(resolved.repository_path, fetched.content)
            for tag, digest in resolved.tags:
                tree.tag(resolved.repository_path, tag, digest)

    def test_unknown_tag(self) -> None:
        """If a tag does not exist, the error names some that do, similar ones first."""
        tags = json.dumps({"tags": ["1", "1.10", "1.9", "latest", "x", "y", "z", "z2"]}).encode()
        self.registry.contents["/v2/a/tags/list"] = ("application/json", tags)
        failure = self.assertRaises(UpstreamRefused, self.resolve, "example.com/a:1.99")
        self.assertEqual(
            str(failure),
            "example.com/a has no tag 1.99: it has 1.9, 1.10, z2, z, y, x and 2 more",
        )
        failure = self.assertRaises(UpstreamRefused, self.resolve, "example.com/b:1")
        self.assertIn("MANIFEST_UNKNOWN unknown (status 404)", str(failure))
        digest = f"sha256:{'0' * 64}"
        failure = self.assertRaises(UpstreamRefused, self.resolve, f"example.com/a@{digest}")
        self.assertIn("(status 404)", str(failure))

    def test_all_platforms(self) -> None:
        """Children come before their index, and shared blobs once."""
        resolved = self.resolve()
        expected = [self.amd64["digest"], self.arm64["digest"], self.index["digest"]]
        self.assertEqual(self.digests(resolved), expected)
        self.assertEqual(resolved.tags, (("1", Digest.parse(self.index["digest"])),))
        self.assertEqual(len(list(resolved.blobs)), 5)

    def test_one_platform(self) -> None:
        """The index is unchanged, and only the selected manifest comes with it."""
        resolved = self.resolve(platforms=(AMD64,))
        self.assertEqual(self.digests(resolved), [self.amd64["digest"], self.index["digest"]])
        self.assertEqual(
            resolved.manifests[1].content, self.registry.contents["/v2/a/manifests/1"][1]
        )

    def test_platform_missing(self) -> None:
        """The error names the image that lacks the platform."""
        with self.assertRaises(UpstreamRefused) as caught:
            self.resolve(platforms=(Platform("linux", "s390x"),))
        self.assertIn("example.com/a:1: it has no image for linux/s390x", str(caught.exception))

    def test_by_digest(self) -> None:
        """An image by digest sets no tag, unless its name has one too."""
        digest = self.amd64["digest"]
        self.assertEqual(self.resolve(f"example.com/a@{digest}").tags, ())
        resolved = self.resolve(f"example.com/a:2@{digest}")
        self.assertEqual(resolved.tags, (("2", Digest.parse(digest)),))

    def test_repository_path(self) -> None:
        """The path begins with the host unless it is trimmed."""
        self.assertEqual(self.resolve().repository_path, "a")
        self.assertEqual(self.resolve(trimmed=False).repository_path, "example.com/a")
        self.assertRaises(NameInvalid, self.resolve, "example.com/a/blobs:1")

    def test_second_time(self) -> None:
        """What the tree has is not requested, except for one HEAD of the tag."""
        self.store(self.resolve())
        self.transport.sent.clear()
        self.resolve()
        self.assertEqual([request.method for request in self.transport.sent], ["HEAD"])

    def test_second_time_by_digest(self) -> None:
        """An image by digest that the tree has is not requested."""
        self.store(self.resolve())
        self.transport.sent.clear()
        self.resolve(f"example.com/a@{self.amd64['digest']}")
        self.assertEqual(self.transport.sent, [])

    def test_tag_moved(self) -> None:
        """If the tag changed upstream, only the new manifest is requested."""
        self.store(self.resolve())
        moved = self.registry.add_index("a", self.amd64, tag="1")
        self.transport.sent.clear()
        self.assertEqual(str(self.resolve().root), moved["digest"])
        self.assertEqual([request.method for request in self.transport.sent], ["HEAD", "GET"])

    def test_too_many_manifests(self) -> None:
        """An index of too many manifests is refused."""
        images = [self.registry.add_image("a", "amd64", b"%d" % number) for number in range(1001)]
        self.registry.add_index("a", *images, tag="wide")
        failure = self.assertRaises(UpstreamRefused, self.resolve, "example.com/a:wide")
        self.assertEqual(str(failure), "example.com/a:wide has more than 1000 manifests")

    def test_manifests_too_large(self) -> None:
        """Manifests that are too large together are refused."""
        images = [
            self.registry.add_image(
                "a", "amd64", b"x", annotations={"x": f"{number:07d}" * 1_000_000}
            )
            for number in range(3)
        ]
        self.registry.add_index("a", *images[:2], tag="large")
        self.assertEqual(len(self.resolve("example.com/a:large").manifests), 3)
        self.registry.add_index("a", *images, tag="huge")
        failure = self.assertRaises(UpstreamRefused, self.resolve, "example.com/a:huge")
        self.assertEqual(str(failure), "example.com/a:huge has more than 16.8 MB of manifests")

    def test_indexes_too_deep(self) -> None:
        """Indexes that are nested too deeply are refused."""
        index = self.index
        for depth in range(6):
            index = self.registry.add_index("a", index, tag=f"deep{depth}")
        failure = self.assertRaises(UpstreamRefused, self.resolve, "example.com/a:deep5")
        self.assertIn("has indexes nested more than 4 levels deep", str(failure))
