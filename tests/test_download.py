"""Tests for ``minreg.fill.download``, with registries in memory."""

import os

from minreg.fill import download as download_module
from minreg.fill.progress import BlobAdvanced, BlobEnded, ImageEnded, Planned, Summary
from minreg.oci.names import Digest
from minreg.oci.platforms import Platform
from minreg.store.tree import RegistryTree
from tests.canned import Canned
from tests.download_support import DownloadTestCase


class DownloadTests(DownloadTestCase):
    """Tests for ``Download``."""

    def test_complete(self) -> None:
        """Images are downloaded with all their blobs, and shared blobs once."""
        summary = self.download("example.com/a:1", "example.com/b:1")
        self.assertEqual((summary.images, summary.failed), (2, ()))
        self.assertEqual((summary.fetched_blobs, summary.reused_blobs), (4, 2))
        self.assertEqual(len(self.blob_requests()), 4)
        store = RegistryTree(self.root)
        for name, index in (("a", self.a), ("b", self.b)):
            repository = store.find_repository(None, name)
            opened = repository.open_manifest("1")
            opened.file.close()
            self.assertEqual(str(opened.digest), index["digest"])
            repository.open_blob(Digest.of(b"base")).file.close()

    def test_events(self) -> None:
        """The events are the plan, the blobs, the images, and the summary."""
        self.download("example.com/a:1")
        [planned] = [event for event in self.events if isinstance(event, Planned)]
        self.assertEqual((planned.images, planned.blobs, planned.partial_bytes), (1, 3, 0))
        ended = [event for event in self.events if isinstance(event, BlobEnded)]
        self.assertEqual(sum(event.received for event in ended), planned.fetch_bytes)
        advanced = [event for event in self.events if isinstance(event, BlobAdvanced)]
        self.assertEqual({event.image for event in advanced}, {"example.com/a:1"})
        self.assertIsInstance(self.events[-1], Summary)

    def test_again(self) -> None:
        """The second download requests no blob, and changes nothing in the tree."""
        self.download("example.com/a:1")
        self.transport.sent.clear()
        path = os.path.join(self.root, "a", "manifests")
        before = os.stat(path).st_mtime_ns
        summary = self.download("example.com/a:1")
        self.assertEqual((summary.fetched_blobs, self.blob_requests()), (0, []))
        self.assertEqual(os.stat(path).st_mtime_ns, before)
        self.assertFalse([e for e in self.events if isinstance(e, ImageEnded)][-1].is_new)

    def test_more_platforms_later(self) -> None:
        """Platforms that were not selected the first time can be added."""
        images = [self.registry.add_image("c", name, b"base") for name in ("amd64", "arm64")]
        self.registry.add_index("c", *images, tag="1")
        self.download("example.com/c:1", platforms=(Platform("linux", "amd64"),))
        self.transport.sent.clear()
        summary = self.download("example.com/c:1")
        self.assertEqual((summary.failed, summary.fetched_blobs), ((), 1))
        self.assertEqual(
            [request.method for request in self.transport.sent], ["HEAD", "GET", "GET"]
        )

    def test_one_fails(self) -> None:
        """An image that fails does not affect the others."""
        summary = self.download("example.com/a:1", "example.com/nope:1")
        self.assertEqual(summary.failed, ("example.com/nope:1",))
        self.assertEqual(self.tags("a"), ["1"])
        self.assertIn("MANIFEST_UNKNOWN", self.ended()["example.com/nope:1"])

    def test_blob_fails(self) -> None:
        """If a blob fails, each image that needs it fails and is not tagged."""
        for name in ("a", "b"):
            shared = f"/v2/{name}/blobs/{Digest.of(b'base')}"
            self.registry.faults[shared] = [Canned(404)]
        summary = self.download("example.com/a:1", "example.com/b:1")
        self.assertEqual(len(summary.failed), 2)
        self.assertFalse(os.path.exists(os.path.join(self.root, "a", "manifests")))
        for name in ("a", "b"):
            reason = self.ended()[f"example.com/{name}:1"]
            self.assertIn(f"/v2/{name}/blobs/{Digest.of(b'base')}: the registry does", reason)
        again = self.download("example.com/a:1", "example.com/b:1")
        self.assertEqual((again.failed, again.fetched_blobs), ((), 1))

    def test_usual_port(self) -> None:
        """A default port is used for requests, but is not part of the path in the tree."""
        self.assertEqual(self.download("example.com:80/a:1", trimmed=False).failed, ())
        self.assertEqual(self.tags("example.com/a"), ["1"])
        urls = {request.url[: len("https://example.com:80/")] for request in self.transport.sent}
        self.assertEqual(urls, {"https://example.com:80/"})

    def test_by_digest(self) -> None:
        """An image without a tag is stored under its digest, and recorded."""
        image = f"example.com/a@{self.a['digest']}"
        self.download(image)
        self.assertEqual(self.tags("a"), [])
        records = os.path.join(self.root, ".minreg", "origins", "a", "manifests")
        self.assertEqual(os.listdir(records), [self.a["digest"]])

    def test_invalid_path(self) -> None:
        """An image whose name cannot be stored in a tree fails alone."""
        summary = self.download("example.com/a/blobs:1", "example.com/a:1")
        self.assertEqual(summary.failed, ("example.com/a/blobs:1",))

    def test_not_writable(self) -> None:
        """An image whose directory cannot be created fails alone."""
        os.mkdir(self.root)
        with open(os.path.join(self.root, "a"), "wb"):
            pass
        summary = self.download("example.com/a:1", "example.com/b:1")
        self.assertEqual(summary.failed, ("example.com/a:1",))
        self.assertIn("Not a directory", self.ended()["example.com/a:1"])

    def test_space(self) -> None:
        """If the disk is full, nothing is downloaded; complete images do not fail."""
        self.download("example.com/b:1")
        self.transport.sent.clear()
        self.patch(download_module, "_RESERVE", 1 << 60)
        summary = self.download("example.com/a:1", "example.com/b:1")
        self.assertEqual(summary.failed, ("example.com/a:1",))
        self.assertIn(
            "free disk space, or choose another directory", self.ended()["example.com/a:1"]
        )
        self.assertEqual(self.blob_requests(), [])
