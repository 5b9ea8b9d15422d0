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
        """A plan names what would be downloaded, and writes nothing."""
        plan = self.plan("example.com/a:1", "example.com/a:1", "example.com/b:1")
        self.assertEqual((len(plan.images), len(plan.missing)), (2, 4))
        self.assertEqual(plan.fetch_bytes, sum(m.size for m in plan.missing.values()))
        self.assertFalse(os.path.exists(self.root))

    def test_partial(self) -> None:
        """The bytes of an interrupted download are not counted as bytes to download."""
        digest = Digest.of(b"base")
        with TreeWriter(self.root, "a test") as tree:
            with tree.open_partial(digest) as partial:
                partial.write(b"ba")
        plan = self.plan("example.com/a:1")
        self.assertEqual((plan.partial_bytes, plan.missing[digest].partial_size), (2, 2))

    def test_name_conflict(self) -> None:
        """Different images of two registries cannot have the same name in the tree."""
        plan = self.plan("example.com/a:1", "other.example/a:1", "example.com/b:1")
        self.assertEqual([str(image.reference) for image in plan.images], ["example.com/b:1"])
        reasons = {str(image): reason for image, reason in plan.failures.items()}
        self.assertEqual(
            reasons["example.com/a:1"],
            "example.com/a:1 and other.example/a:1 are different images, but both would be a:1 in "
            "the tree; to store both, use --no-trim, which keeps the registry's host in the "
            "repository name",
        )

    def test_name_conflict_with_tree(self) -> None:
        """An image of one registry does not replace an image of another one."""
        self.download("example.com/a:1")
        plan = self.plan("other.example/a:1")
        [reason] = plan.failures.values()
        self.assertIn("other.example/a:1 and example.com/a are different images", reason)

    def test_tag_changed(self) -> None:
        """The same registry may change what its tag names."""
        self.download("example.com/a:1")
        self.registry.add_index("a", self.registry.add_image("a", "amd64", b"new"), tag="1")
        self.assertEqual(self.download("example.com/a:1").failed, ())

    def test_no_trim(self) -> None:
        """With the hosts in their paths both images can be stored."""
        summary = self.download("example.com/a:1", "other.example/a:1", trimmed=False)
        self.assertEqual(summary.failed, ())
        self.assertEqual(self.tags("example.com/a"), ["1"])
        self.assertEqual(self.tags("other.example/a"), ["1"])

    def add_with_wrong_size(self, name: str, size: int) -> str:
        """Add an image that states a wrong size for a layer, and return its name by digest."""
        image = self.registry.add_image(name, "amd64", b"base")
        media_type, content = self.registry.contents[f"/v2/{name}/manifests/{image['digest']}"]
        changed = content.replace(b'"size": 4}', b'"size": %d}' % size)
        digest = str(Digest.of(changed))
        self.registry.contents[f"/v2/{name}/manifests/{digest}"] = (media_type, changed)
        return f"example.com/{name}@{digest}"

    def test_wrong_size(self) -> None:
        """An image that states a wrong size for a blob fails, and no other image does."""
        for size in (5, 3):
            wrong = self.add_with_wrong_size(f"c{size}", size)
            self.assertEqual(self.download(wrong, "example.com/a:1").failed, (wrong,))
            self.assertIn(
                f"states {size} bytes for blob {Digest.of(b'base')}, but it has 4",
                self.ended()[wrong],
            )
            shutil.rmtree(self.root)

    def test_wrong_size_of_present_blob(self) -> None:
        """If the tree has a blob, a wrong size does not make others download it again."""
        self.download("example.com/a:1")
        wrong = self.add_with_wrong_size("c", 5)
        self.assertEqual(self.download(wrong, "example.com/b:1").failed, (wrong,))
        self.assertEqual(self.tags("b"), ["1"])

    def test_two_sizes(self) -> None:
        """An image that states two sizes for one blob is refused."""
        blob = self.registry.add_blob("c", OCI_LAYER, b"base")
        more = {"layers": [blob, {**blob, "size": 5}]}
        image = self.registry.add_image("c", "amd64", **more)
        [reason] = self.plan(f"example.com/c@{image['digest']}").failures.values()
        self.assertIn(f"states two sizes for blob {blob['digest']}", reason)

    def test_other_source(self) -> None:
        """A blob that one registry fails to send is downloaded from another one."""
        self.other.add_index("d", self.other.add_image("d", "amd64", b"base"), tag="1")
        base = Digest.of(b"base")
        self.other.faults[f"/v2/d/blobs/{base}"] = [Canned(404)]
        self.assertEqual(self.download("other.example/d:1", "example.com/a:1").failed, ())
        self.assertEqual(self.tags("d"), ["1"])

    def test_too_large(self) -> None:
        """An image that is larger than the disk fails alone."""
        wrong = self.add_with_wrong_size("c", 10**15)
        self.assertEqual(self.download(wrong, "example.com/a:1").failed, (wrong,))
        self.assertIn(f"{wrong} needs 1000.0 TB, but only ", self.ended()[wrong])
        self.assertIn("free disk space, or choose another directory", self.ended()[wrong])

    def test_smallest_first(self) -> None:
        """If not all images fit on the disk, the smallest are downloaded."""
        self.registry.add_index("c", self.registry.add_image("c", "amd64", bytes(100)), tag="1")
        images = ["example.com/c:1", "example.com/a:1", "example.com/b:1"]
        free_space = self.plan(*images[1:]).fetch_bytes
        self.assertEqual(len(self.plan(*images, free_space=free_space + 100).images), 3)
        plan = self.plan(*images, free_space=free_space)
        self.assertEqual([str(image.reference) for image in plan.images], images[1:])
