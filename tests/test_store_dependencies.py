"""Tests for ``Dependencies`` of ``minreg.store.cache``."""

import os

from minreg.oci.names import Digest
from tests.store_support import StoreTestCase

CONFIG = b'{"architecture": "amd64", "os": "linux"}'


class DependenciesTests(StoreTestCase):
    """Tests for how long content counts as current."""

    def setUp(self) -> None:
        """Add an image to the tree, and let time pass."""
        super().setUp()
        self.digest = self.tree.add_image("rancher/pause", "3.6")
        self.settle()

    def assert_current_until(self, change: object, name: str = "rancher/pause") -> None:
        """Check that the tag's manifest is current, and not any more after a change."""
        assert callable(change)
        content = self.find(name, "docker.io").open_manifest("3.6")
        content.close()
        assert content.is_current is not None
        self.assertTrue(content.is_current())
        change()
        self.assertFalse(content.is_current())

    def test_file_changes(self) -> None:
        """Content is current until its file is written to."""
        path = self.tree.path("rancher/pause/manifests", str(self.digest))
        self.assert_current_until(lambda: os.truncate(path, 3))

    def test_time_set_back(self) -> None:
        """A change is noticed although the modification time is set back, as tar does."""
        path = self.tree.path("rancher/pause/manifests", str(self.digest))
        self.assert_current_until(lambda: os.utime(path, (0, 0)))

    def test_something_comes_first(self) -> None:
        """Content is current until a path exists that the lookup prefers."""
        self.assert_current_until(lambda: self.tree.add_repository("docker.io/rancher/pause"))

    def test_lost_tag(self) -> None:
        """A manifest in ``blobs`` is current until a tag of its repository changes."""
        document = self.tree.image()
        del document["mediaType"]
        digest = self.tree.add_manifest("rancher/odd", document, "3.6")
        os.rename(
            self.tree.path("rancher/odd/manifests", str(digest)),
            self.tree.path("blobs", str(digest)),
        )
        self.settle()
        self.assert_current_until(
            lambda: os.remove(self.tree.path("rancher/odd/manifests/3.6")), "rancher/odd"
        )

    def test_just_changed(self) -> None:
        """Content of a file that was changed a moment ago cannot be validated."""
        self.stop_time()
        content = self.find().open_manifest("3.6")
        content.close()
        self.assertIsNone(content.is_current)

    def test_directory_just_changed(self) -> None:
        """A blob depends on the manifests: if these changed a moment ago, it is not validated."""
        blob = Digest.of(CONFIG)
        content = self.find().open_blob(blob)
        content.close()
        self.assertIsNotNone(content.is_current)
        self.tree.add_repository("rancher/pause")
        os.utime(self.tree.path("rancher/pause/manifests"))
        self.stop_time()
        content = self.find().open_blob(blob)
        content.close()
        self.assertIsNone(content.is_current)

    def test_too_much_to_look_at(self) -> None:
        """Content that depends on many files is not validated."""
        for count in range(10):
            self.tree.write(b"{}", "rancher/pause/manifests", f"v{count}")
        self.settle()
        content = self.find().open_blob(Digest.of(CONFIG))
        content.close()
        self.assertIsNone(content.is_current)
