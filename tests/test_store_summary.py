"""Tests for ``minreg.store.summary``."""

import os

from minreg.oci.names import OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.tree import RegistryTree
from tests.support import WebTestCase
from tests.trees import descriptor, index

CONFIG = b'{"architecture": "amd64", "os": "linux"}'


class SummaryTests(WebTestCase):
    """Tests for ``TreeRepository.summarize``."""

    def setUp(self) -> None:
        """Create a store for the tree."""
        super().setUp()
        self.store = RegistryTree(self.root)

    def test_image(self) -> None:
        """A summary has tags, platforms, size, and the time of the last change."""
        digest = self.tree.add_image("a/b", "1", b"layer")
        os.utime(self.tree.path("a/b", "manifests"), (7, 7))
        found = self.store.find_repository(None, "a/b").summarize()
        document = os.path.getsize(self.tree.path("a/b", "manifests", str(digest)))
        self.assertEqual(found.tags, ("1",))
        self.assertEqual(found.platforms, (Platform("linux", "amd64"),))
        self.assertEqual(found.size, document + len(CONFIG) + 5)
        self.assertEqual((found.missing, found.changed), (0, 7.0))

    def test_platforms_of_an_index(self) -> None:
        """Only the platforms of stored images are listed, without attestations."""
        here = self.tree.add_image("a")
        statement = self.tree.add_image("a", layer=b"attested")
        unknown = {"os": "unknown", "architecture": "unknown"}
        children = [
            descriptor(OCI_MANIFEST, here, 1, platform={"os": "linux", "architecture": "s390x"}),
            descriptor(OCI_MANIFEST, statement, 1, platform=unknown),
            descriptor(
                OCI_MANIFEST,
                Digest.of(b"absent"),
                1,
                platform={"os": "linux", "architecture": "arm64"},
            ),
        ]
        self.tree.add_manifest("a", index(children), "1")
        found = self.store.find_repository(None, "a").summarize()
        self.assertEqual(found.platforms, (Platform("linux", "s390x"),))

    def test_missing(self) -> None:
        """Blobs that are missing or truncated are counted."""
        self.tree.add_image("a", "1", b"first")
        self.tree.add_image("a", "2", b"second")
        os.unlink(self.tree.path("blobs", str(Digest.of(b"first"))))
        os.truncate(self.tree.path("blobs", str(Digest.of(b"second"))), 1)
        found = self.store.find_repository(None, "a").summarize()
        self.assertEqual(found.missing, 2)

    def test_blob_leads_out(self) -> None:
        """A blob that must not be read counts as missing."""
        self.tree.add_image("a", "1", b"first")
        blob = self.tree.path("blobs", str(Digest.of(b"first")))
        os.unlink(blob)
        os.symlink("/etc/passwd", blob)
        self.assertEqual(self.store.find_repository(None, "a").summarize().missing, 1)

    def test_odd_configs(self) -> None:
        """A missing config, or one without a platform, adds no platform."""
        self.tree.add_image("a", "1")
        for content in (b"[]", b"{", b'{"os": 1}', b"[" * 100_000):
            self.tree.write(content, "blobs", str(Digest.of(CONFIG)))
            self.assertEqual(self.store.find_repository(None, "a").summarize().platforms, ())
        os.unlink(self.tree.path("blobs", str(Digest.of(CONFIG))))
        self.assertEqual(self.store.find_repository(None, "a").summarize().platforms, ())

    def test_referrers_are_no_images(self) -> None:
        """A signature has no platform."""
        subject = self.tree.add_image("a", "1")
        self.tree.add_manifest(
            "a", self.tree.image(b"signature", subject=descriptor(OCI_MANIFEST, subject, 1))
        )
        found = self.store.find_repository(None, "a").summarize()
        self.assertEqual(found.platforms, (Platform("linux", "amd64"),))

    def test_images(self) -> None:
        """An index is one image, whatever tags it has; a signature is none."""
        child = self.tree.add_image("a")
        multi = self.tree.add_manifest("a", index([descriptor(OCI_MANIFEST, child, 1)]), "1")
        self.tree.add_tag("a", "latest", multi)
        self.tree.add_image("a", layer=b"without a tag")
        self.tree.add_manifest(
            "a", self.tree.image(b"signature", subject=descriptor(OCI_MANIFEST, multi, 1))
        )
        found = self.store.find_repository(None, "a").summarize()
        self.assertEqual((found.images, found.broken), (2, 0))
        self.assertTrue(found.is_complete)

    def test_broken(self) -> None:
        """Invalid manifests, broken tags and indexes without a stored platform are counted."""
        self.tree.add_image("a", "1")
        absent = descriptor(OCI_MANIFEST, Digest.of(b"absent"), 1)
        for number, break_it in enumerate(
            (
                lambda: self.tree.write(b"{}", "a", "manifests", str(Digest.of(b"other"))),
                lambda: self.tree.add_tag("a", "other", Digest.of(b"other")),
                lambda: self.tree.add_tag("a", "lost", Digest.of(b"lost")),
                lambda: self.tree.write(b"no JSON", "a", "manifests", "2"),
                lambda: self.tree.add_manifest("a", index([absent]), "3"),
                lambda: self.tree.add_manifest("a", self.tree.image(layers=["odd"]), "4"),
            )
        ):
            break_it()
            found = self.store.find_repository(None, "a").summarize()
            # The second tag leads to the file that is counted already.
            self.assertEqual(found.broken, max(number, 1), number)
            self.assertFalse(found.is_complete)
