"""Tests for ``minreg.fill.plan``, with registries in memory."""

import os
import shutil

from minreg.fill.tree.writer import TreeWriter
from minreg.oci.names import OCI_LAYER, Digest
from tests.canned import Canned
from tests.download_support import DownloadTestCase


class PlanTests(DownloadTestCase):
    """Tests for ``make_plan``."""

    def test_nothing_written(self) -> None:
        """A plan tells what would come, and writes nothing."""
        plan = self.plan("example.com/a:1", "example.com/a:1", "example.com/b:1")
        self.assertEqual((len(plan.images), len(plan.missing)), (2, 4))
        self.assertEqual(plan.fetch_bytes, sum(m.size for m in plan.missing.values()))
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

    def add_lying(self, name: str, size: int) -> str:
        """Add an image that lies about the size of a layer, and name it by its digest."""
        image = self.registry.add_image(name, "amd64", b"base")
        media_type, content = self.registry.contents[f"/v2/{name}/manifests/{image['digest']}"]
        changed = content.replace(b'"size": 4}', b'"size": %d}' % size)
        digest = str(Digest.of(changed))
        self.registry.contents[f"/v2/{name}/manifests/{digest}"] = (media_type, changed)
        return f"example.com/{name}@{digest}"

    def test_lie(self) -> None:
        """Of two sizes that are stated for a blob one is false, and fails that image alone."""
        for size in (5, 3):
            lie = self.add_lying(f"c{size}", size)
            self.assertEqual(self.download(lie, "example.com/a:1").failed, (lie,))
            self.assertIn(
                f"says that blob {Digest.of(b'base')} has {size} bytes, and it has 4",
                self.ended()[lie],
            )
            shutil.rmtree(self.root)

    def test_lie_about_what_is_here(self) -> None:
        """A blob that the tree has is not fetched again for those who know its size."""
        self.download("example.com/a:1")
        lie = self.add_lying("c", 5)
        self.assertEqual(self.download(lie, "example.com/b:1").failed, (lie,))
        self.assertEqual(self.tags("b"), ["1"])

    def test_two_sizes_at_once(self) -> None:
        """An image that states two sizes for one blob is none."""
        blob = self.registry.add_blob("c", OCI_LAYER, b"base")
        more = {"layers": [blob, {**blob, "size": 5}]}
        image = self.registry.add_image("c", "amd64", **more)
        [reason] = self.plan(f"example.com/c@{image['digest']}").failures.values()
        self.assertIn(f"states two sizes for blob {blob['digest']}", reason)

    def test_other_source(self) -> None:
        """A blob that one upstream does not give comes from another that has it."""
        self.other.add_index("d", self.other.add_image("d", "amd64", b"base"), tag="1")
        base = Digest.of(b"base")
        self.other.faults[f"/v2/d/blobs/{base}"] = [Canned(404)]
        self.assertEqual(self.download("other.example/d:1", "example.com/a:1").failed, ())
        self.assertEqual(self.tags("d"), ["1"])

    def test_no_room_for_one(self) -> None:
        """An image that no disk has room for fails alone."""
        lie = self.add_lying("c", 10**15)
        self.assertEqual(self.download(lie, "example.com/a:1").failed, (lie,))
        self.assertIn(f"{lie} needs 1000.0 TB", self.ended()[lie])
        self.assertIn("make room, or choose another directory", self.ended()[lie])

    def test_no_room_for_all(self) -> None:
        """Where not all images have room, those that need least come."""
        self.registry.add_index("c", self.registry.add_image("c", "amd64", bytes(100)), tag="1")
        images = ["example.com/c:1", "example.com/a:1", "example.com/b:1"]
        room = self.plan(*images[1:]).fetch_bytes
        self.assertEqual(len(self.plan(*images, room=room + 100).images), 3)
        plan = self.plan(*images, room=room)
        self.assertEqual([str(image.image) for image in plan.images], images[1:])
