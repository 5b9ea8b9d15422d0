"""Tests for the image lists of K3s releases in a tree."""

import os
from io import FileIO

from minreg.store.interfaces import (
    ContentInvalid,
    ContentNotFound,
    StoreNotReady,
    StoreUnavailable,
)
from minreg.store.rooted import OpenedFile, RootedDirectory
from minreg.store.tree import LARGEST_LIST, DeferredTree, match_release
from tests.store_support import StoreTestCase


class ReleasesTests(StoreTestCase):
    """Tests for ``list_releases`` and ``read_release``."""

    def test_none(self) -> None:
        """A tree without image lists has no releases."""
        self.assertEqual(self.store.list_releases(), [])
        error = self.refusal(ContentNotFound, self.store.read_release, "v1.33.4+k3s1")
        self.assertEqual(str(error), "this tree has no image list of K3s v1.33.4+k3s1")

    def test_lists(self) -> None:
        """The releases are listed in order; other files are ignored."""
        for name in ("v1.33.4+k3s1.txt", "v1.32.9+k3s2.txt", "notes.txt", "v1.33.4+k3s1.bak"):
            self.tree.write(name.encode(), "k3s", name)
        self.assertEqual(self.store.list_releases(), ["v1.32.9+k3s2", "v1.33.4+k3s1"])
        self.assertEqual(self.store.read_release("v1.33.4+k3s1"), b"v1.33.4+k3s1.txt")

    def test_hostile_names(self) -> None:
        """Text that is not a version never becomes part of a path."""
        self.tree.write(b"secret", "x.txt")
        for name in ("../x", "v1.0.0/../../x", "", "v1.0.0\0", "v1.0.0" + "x" * 100):
            error = self.refusal(ContentNotFound, self.store.read_release, name)
            self.assertIn("is not a K3s version", str(error))

    def test_links_out(self) -> None:
        """A link that leads out of the root is not followed."""
        outside = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(outside, "v1.0.0.txt"))
        os.symlink(outside, self.tree.path("k3s"))
        self.refusal(ContentInvalid, self.store.list_releases)
        self.refusal(ContentInvalid, self.store.read_release, "v1.0.0")

    def test_no_list(self) -> None:
        """A directory, an empty file and a huge file are refused."""
        os.makedirs(self.tree.path("k3s", "v1.0.0.txt"))
        self.tree.write(b"", "k3s", "v1.0.1.txt")
        self.tree.write(b"#" * (LARGEST_LIST + 1), "k3s", "v1.0.2.txt")
        for version in self.store.list_releases():
            self.refusal(ContentInvalid, self.store.read_release, version)

    def test_disk_fails(self) -> None:
        """A disk that fails while a list is read is an error of the store."""

        def open_memory(_files: RootedDirectory, path: str) -> OpenedFile:
            return OpenedFile(FileIO("/proc/self/mem"), os.stat(self.root), path)

        self.patch(RootedDirectory, "open_file", open_memory)
        error = self.refusal(StoreUnavailable, self.store.read_release, "v1.0.0")
        self.assertEqual(str(error), "k3s/v1.0.0.txt: Input/output error")

    def test_file(self) -> None:
        """If ``k3s`` is a file, there are no lists."""
        self.tree.write(b"x", "k3s")
        self.assertEqual(self.store.list_releases(), [])
        self.refusal(ContentNotFound, self.store.read_release, "v1.0.0")

    def test_no_root(self) -> None:
        """Without the root, listing fails."""
        os.rename(self.root, f"{self.root}.gone")
        self.refusal(StoreUnavailable, self.store.list_releases)
        self.refusal(StoreUnavailable, self.store.read_release, "v1.0.0")
        awaited = DeferredTree(self.root)
        self.refusal(StoreNotReady, awaited.list_releases)

    def test_match(self) -> None:
        """A release is found by its name and by the form in tags, but not by a part."""
        kept = ["v1.33.4+k3s1", "v1.33.5-rc1+k3s1"]
        for wanted, found in {
            "v1.33.4+k3s1": kept[0],
            "v1.33.4-k3s1": kept[0],
            "v1.33.5-rc1-k3s1": kept[1],
            "v1.33.4": None,
            "v1.33.4+k3s10": None,
            "": None,
        }.items():
            self.assertEqual(match_release(kept, wanted), found)
