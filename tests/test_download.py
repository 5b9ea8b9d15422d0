"""Tests for ``minreg.fill.download`` and ``minreg.fill.plan``, with registries in memory."""

import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill import download as download_module
from minreg.fill.download import Download, Network, check_space
from minreg.fill.events import BlobAdvanced, BlobEnded, Event, ImageEnded, Planned, Summary
from minreg.fill.failures import TreeNotWritable
from minreg.fill.plan import Plan
from minreg.fill.resolve import Selection
from minreg.fill.retries import Retries
from minreg.fill.upstreams import Upstreams
from minreg.fill.writer import TreeWriter
from minreg.manifests import Platform
from minreg.names import Digest
from minreg.references import ImageReference
from minreg.store.tree import RegistryTree
from tests.canned import Canned, CannedTransport, MemoryRegistry, Sent, quick_retries


class DownloadTestCase(SynchronousTestCase):
    """A download from two registries in memory into an empty tree."""

    def setUp(self) -> None:
        """Have two images that share a layer, and one of the same name elsewhere."""
        self.registry, self.other = MemoryRegistry(), MemoryRegistry()
        self.a = self.registry.add_index(
            "a", self.registry.add_image("a", "amd64", b"base", b"a's own"), tag="1"
        )
        self.b = self.registry.add_index(
            "b", self.registry.add_image("b", "amd64", b"base", b"b's own"), tag="1"
        )
        self.other.add_index("a", self.other.add_image("a", "amd64", b"other"), tag="1")
        self.transport = CannedTransport(self.answer)
        self.root = os.path.abspath(self.mktemp())
        self.events: list[Event] = []

    def answer(self, request: Sent) -> Canned:
        """Answer as the registry whose host is asked."""
        is_other = request.url.startswith("https://other.example/")
        return (self.other if is_other else self.registry)(request)

    def make_download(self, **selection: Any) -> Download:
        """Make a download."""
        retries: Retries = quick_retries(0)
        upstreams = Upstreams(self.transport, retries, {})
        network = Network(self.transport, upstreams, retries, retries._stop, 4)
        return Download(self.root, network, Selection(**selection), self.events.append)

    def download(self, *images: str, **selection: Any) -> Summary:
        """Download images."""
        references = [ImageReference.parse(image) for image in images]
        with TreeWriter(self.root, "a test") as tree:
            return self.make_download(**selection).run(references, tree)

    def plan(self, *images: str) -> Plan:
        """Plan without writing."""
        return self.make_download().plan([ImageReference.parse(image) for image in images])

    def ended(self) -> dict[str, str]:
        """Tell, for each image that ended, why it failed."""
        return {e.image: e.reason for e in self.events if isinstance(e, ImageEnded)}

    def tags(self, name: str) -> list[str]:
        """List the tags that the registry would serve."""
        return RegistryTree(self.root).find_repository(None, name).list_tags()

    def blob_requests(self) -> list[str]:
        """List the requests for blobs."""
        return [request.path for request in self.transport.sent if "/blobs/" in request.path]


class DownloadTests(DownloadTestCase):
    """Tests for ``Download``."""

    def test_complete(self) -> None:
        """Images arrive with all their blobs, and those that they share once."""
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
        """Whoever watches sees the plan, the blobs, the images, and the end."""
        self.download("example.com/a:1")
        [planned] = [event for event in self.events if isinstance(event, Planned)]
        self.assertEqual((planned.images, planned.blobs, planned.partial_bytes), (1, 3, 0))
        ended = [event for event in self.events if isinstance(event, BlobEnded)]
        self.assertEqual(sum(event.received for event in ended), planned.fetch_bytes)
        advanced = [event for event in self.events if isinstance(event, BlobAdvanced)]
        self.assertEqual({event.image for event in advanced}, {"example.com/a:1"})
        self.assertIsInstance(self.events[-1], Summary)

    def test_again(self) -> None:
        """The second time no blob is asked for, and nothing in the tree changes."""
        self.download("example.com/a:1")
        self.transport.sent.clear()
        path = os.path.join(self.root, "a", "manifests")
        before = os.stat(path).st_mtime_ns
        summary = self.download("example.com/a:1")
        self.assertEqual((summary.fetched_blobs, self.blob_requests()), (0, []))
        self.assertEqual(os.stat(path).st_mtime_ns, before)
        self.assertFalse([e for e in self.events if isinstance(e, ImageEnded)][-1].is_new)

    def test_more_platforms_later(self) -> None:
        """What was left out the first time comes when it is wanted."""
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
        """An image that fails does not take the others with it."""
        summary = self.download("example.com/a:1", "example.com/nope:1")
        self.assertEqual(summary.failed, ("example.com/nope:1",))
        self.assertEqual(self.tags("a"), ["1"])
        self.assertIn("MANIFEST_UNKNOWN", self.ended()["example.com/nope:1"])

    def test_blob_fails(self) -> None:
        """An image without one of its blobs is not tagged; all that need it fail."""
        shared = f"/v2/a/blobs/{Digest.of(b'base')}"
        self.registry.faults[shared] = [Canned(404)]
        summary = self.download("example.com/a:1", "example.com/b:1")
        self.assertEqual(len(summary.failed), 2)
        self.assertFalse(os.path.exists(os.path.join(self.root, "a", "manifests")))
        self.assertIn("status 404", self.ended()["example.com/b:1"])
        again = self.download("example.com/a:1", "example.com/b:1")
        self.assertEqual((again.failed, again.fetched_blobs), ((), 1))

    def test_by_digest(self) -> None:
        """An image without a tag is kept under its digest, and remembered."""
        image = f"example.com/a@{self.a['digest']}"
        self.download(image)
        self.assertEqual(self.tags("a"), [])
        origin = os.path.join(self.root, ".minreg", "origins", "a", "manifests")
        self.assertEqual(os.listdir(origin), [self.a["digest"]])

    def test_no_room_for_name(self) -> None:
        """A name that a tree cannot have fails by itself."""
        summary = self.download("example.com/a/blobs:1", "example.com/a:1")
        self.assertEqual(summary.failed, ("example.com/a/blobs:1",))

    def test_not_writable(self) -> None:
        """An image whose place is taken fails by itself."""
        os.mkdir(self.root)
        with open(os.path.join(self.root, "a"), "wb"):
            pass
        summary = self.download("example.com/a:1", "example.com/b:1")
        self.assertEqual(summary.failed, ("example.com/a:1",))
        self.assertIn("Not a directory", self.ended()["example.com/a:1"])

    def test_space(self) -> None:
        """Without room nothing is fetched."""
        self.patch(download_module, "_RESERVE", 1 << 60)
        failure = self.assertRaises(TreeNotWritable, self.download, "example.com/a:1")
        self.assertIn("make room, or choose another directory", str(failure))
        self.assertEqual(self.blob_requests(), [])

    def test_no_space_needed(self) -> None:
        """A full disk is no obstacle to a run that has nothing to fetch."""
        self.patch(download_module, "_RESERVE", 1 << 60)
        check_space(os.path.dirname(self.root), 0)


class PlanTests(DownloadTestCase):
    """Tests for ``make_plan``."""

    def test_nothing_written(self) -> None:
        """A plan tells what would come, and writes nothing."""
        plan = self.plan("example.com/a:1", "example.com/a:1", "example.com/b:1")
        self.assertEqual((len(plan.images), len(plan.missing)), (2, 4))
        self.assertEqual(plan.fetch_bytes, sum(m.blob.size for m in plan.missing.values()))
        self.assertFalse(os.path.exists(self.root))

    def test_partial(self) -> None:
        """What came of a blob earlier is not counted again."""
        digest = Digest.of(b"base")
        with TreeWriter(self.root, "a test") as tree:
            with tree.open_partial(digest) as partial:
                partial.write(b"ba")
        plan = self.plan("example.com/a:1")
        self.assertEqual((plan.partial_bytes, plan.missing[digest].partial_size), (2, 2))

    def test_collision(self) -> None:
        """Two upstreams may not both have one name with different content."""
        plan = self.plan("example.com/a:1", "other.example/a:1", "example.com/b:1")
        self.assertEqual([str(image.image) for image in plan.images], ["example.com/b:1"])
        reasons = {str(image): reason for image, reason in plan.failures.items()}
        self.assertEqual(
            reasons["example.com/a:1"],
            "example.com/a:1 and other.example/a:1 would both be a:1, and are different "
            "images: keep their hosts' names apart with --no-trim",
        )

    def test_collision_with_tree(self) -> None:
        """Nor may one overwrite what the other filled earlier."""
        self.download("example.com/a:1")
        plan = self.plan("other.example/a:1")
        [reason] = plan.failures.values()
        self.assertIn("other.example/a:1 and example.com/a would both be a:1", reason)

    def test_same_upstream_moves_on(self) -> None:
        """The same upstream may move its tag."""
        self.download("example.com/a:1")
        self.registry.add_index("a", self.registry.add_image("a", "amd64", b"new"), tag="1")
        self.assertEqual(self.download("example.com/a:1").failed, ())

    def test_no_trim(self) -> None:
        """With their hosts' names both have room."""
        summary = self.download("example.com/a:1", "other.example/a:1", trimmed=False)
        self.assertEqual(summary.failed, ())
        self.assertEqual(self.tags("example.com/a"), ["1"])
        self.assertEqual(self.tags("other.example/a"), ["1"])

    def test_contradiction(self) -> None:
        """Two manifests that state different sizes for a blob cannot both be right."""
        lying = self.registry.add_image("c", "amd64", b"base")
        path = f"/v2/c/manifests/{lying['digest']}"
        media_type, content = self.registry.contents[path]
        changed = content.replace(b'"size": 4}', b'"size": 5}')
        digest = str(Digest.of(changed))
        self.registry.contents[f"/v2/c/manifests/{digest}"] = (media_type, changed)
        plan = self.plan("example.com/a:1", f"example.com/c@{digest}")
        [reason] = plan.failures.values()
        self.assertIn(f"says that blob {Digest.of(b'base')} has 5 bytes", reason)
