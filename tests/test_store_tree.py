"""Tests for ``minreg.store.tree``: repositories, and the image lists of K3s releases."""

import os
import tempfile
from io import FileIO
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from minreg.oci.names import Digest, is_repository
from minreg.store.interfaces import (
    ContentInvalid,
    ContentNotFound,
    ContentUnreadable,
    IRegistryStore,
    RepositoryNotFound,
    StoreNotReady,
    StoreUnavailable,
)
from minreg.store.rooted import OpenedFile, RootedDirectory
from minreg.store.tree import LARGEST_LIST, DeferredTree, RegistryTree, match_release
from tests.store_support import StoreTestCase, deny, without_privileges

COMPONENTS = st.sampled_from(
    ["a", "a-b", "a.b", "a_b", "a0", "b", "ab", "blobs", "manifests", "quay.io", "0"]
)
NAMES = st.lists(COMPONENTS, min_size=1, max_size=3).map("/".join)


class FindRepositoryTests(StoreTestCase):
    """Tests for ``RegistryTree.find_repository``."""

    def found(self, namespace: str | None, name: str) -> tuple[str, bool]:
        """Return a repository's path, and whether ns decided that."""
        repository = self.find(name, namespace)
        return repository.name, repository.by_namespace

    def test_interface(self) -> None:
        """A tree provides ``IRegistryStore``."""
        verifyObject(IRegistryStore, self.store)

    def test_uncached(self) -> None:
        """An uncached tree returns the same content, and does not use the caches of the other."""
        digest = self.tree.add_image("a", "1")
        uncached = self.store.uncached()
        verifyObject(IRegistryStore, uncached)
        with uncached.find_repository(None, "a").open_manifest("1").file as file:
            self.assertEqual(Digest.of(file.read()), digest)
        self.assertIsNot(uncached.find_repository(None, "a")._indexes, self.store._indexes)
        self.assertIsNot(uncached.find_repository(None, "a")._manifests, self.store._manifests)

    def test_trimmed_tree(self) -> None:
        """A tree without host names serves requests for any registry."""
        self.tree.add_image("rancher/pause", "3.6")
        for namespace in (None, "docker.io", "quay.io", "bootstrap-registry.airgap"):
            self.assertEqual(self.found(namespace, "rancher/pause"), ("rancher/pause", False))

    def test_tree_with_hosts(self) -> None:
        """A tree with host names serves each registry from its own directory."""
        self.tree.add_image("docker.io/rancher/pause", "3.6")
        kept = "docker.io/rancher/pause"
        self.assertEqual(self.found(None, "rancher/pause"), (kept, False))
        self.assertEqual(self.found("docker.io", "rancher/pause"), (kept, True))
        self.assertEqual(self.found("bootstrap-registry.airgap", "rancher/pause"), (kept, True))
        self.refusal(RepositoryNotFound, self.found, "quay.io", "rancher/pause")
        self.refusal(RepositoryNotFound, self.found, "quay.io", kept)

    def test_equal_paths(self) -> None:
        """Repositories of two registries with equal paths are distinguished."""
        for host in ("docker.io", "quay.io", "registry.example.com:5000"):
            self.tree.add_image(f"{host}/app/web", "1")
            self.assertEqual(self.found(host, "app/web"), (f"{host}/app/web", True))

    def test_library(self) -> None:
        """``library/`` is prepended for Docker Hub, and for no other registry."""
        self.tree.add_image("library/busybox", "1")
        self.assertEqual(self.found("docker.io", "busybox"), ("library/busybox", False))
        self.refusal(RepositoryNotFound, self.found, "registry.k8s.io", "busybox")
        self.refusal(RepositoryNotFound, self.found, None, "busybox")

    def test_nothing_there(self) -> None:
        """A directory without ``manifests`` is not a repository."""
        self.tree.write(b"", "rancher", "manifests")
        for name in ("rancher", "blobs", "nothing", "x" * 255, "a/" * 120 + "a"):
            error = self.refusal(RepositoryNotFound, self.found, None, name)
            self.assertEqual(str(error), name)

    def test_directory_that_leads_out(self) -> None:
        """A repository outside of the root is refused by every method."""
        elsewhere = os.path.abspath(self.mktemp())
        os.makedirs(f"{elsewhere}/manifests")
        os.symlink(elsewhere, self.tree.path("away"))
        repository = self.find("away")
        self.refusal(ContentInvalid, repository.list_tags)
        self.refusal(ContentInvalid, repository.list_referrers, self.tree.add_blob(b"x"))
        self.refusal(ContentNotFound, repository.open_blob, self.tree.add_blob(b"y"))

    def test_denied(self) -> None:
        """A repository that this user may not look up is not treated as missing."""
        self.tree.add_image("a", "1")
        manifests = self.tree.path("a", "manifests")
        deny(self, "stat", manifests)
        error = self.refusal(ContentUnreadable, self.found, None, "a")
        self.assertIn(f"{manifests} cannot be read by this user", str(error))
        deny(self, "stat", ".")
        self.refusal(StoreUnavailable, self.found, None, "a")

    def test_no_root(self) -> None:
        """If the root does not exist, the store is unavailable."""
        os.rename(self.root, f"{self.root}.old")
        self.refusal(StoreUnavailable, self.found, None, "rancher/pause")
        self.refusal(StoreUnavailable, self.store.iterate_repositories, "")


class IterateRepositoriesTests(StoreTestCase):
    """Tests for ``RegistryTree.iterate_repositories``."""

    def listed(self, after: str = "") -> list[str]:
        """Return the repositories after a name."""
        return list(self.store.iterate_repositories(after))

    def test_order(self) -> None:
        """Names are in byte order, which is not the order of directories."""
        for name in ("a/b", "a", "a-b", "a.b/c", "a0", "b/c/d", "docker.io/library/busybox"):
            self.tree.add_repository(name)
        expected = ["a", "a-b", "a.b/c", "a/b", "a0", "b/c/d", "docker.io/library/busybox"]
        self.assertEqual(self.listed(), expected)
        for at, name in enumerate(expected):
            self.assertEqual(self.listed(name), expected[at + 1 :])
        self.assertEqual(self.listed("a/"), expected[3:])
        self.assertEqual(self.listed("a/\u00e4"), expected[4:])
        self.assertEqual(self.listed("zzz"), [])

    def test_what_is_no_repository(self) -> None:
        """Files, invalid names and directories without ``manifests`` are skipped."""
        self.tree.write(b"", "file")
        for name in ("Upper/manifests", "a..b/manifests", ".hidden/manifests", "empty"):
            os.makedirs(self.tree.path(name))
        self.tree.write(b"", "file-instead", "manifests")
        self.tree.add_repository("quay.io:5000/a")
        self.assertEqual(self.listed(), [])

    def test_links(self) -> None:
        """A link to a repository is listed; links to a parent are not followed."""
        self.tree.add_repository("a/b")
        os.symlink("a", self.tree.path("c"))
        os.symlink("..", self.tree.path("a", "up"))
        os.symlink(".", self.tree.path("self"))
        os.symlink("../..", self.tree.path("a", "b", "top"))
        self.assertEqual(self.listed(), ["a/b", "c/b"])

    def test_broken_links(self) -> None:
        """Broken links and cycles of links hide no repository."""
        self.tree.add_repository("a/b")
        os.symlink("nowhere", self.tree.path("lost"))
        os.symlink("circle", self.tree.path("circle"))
        os.makedirs(self.tree.path("a", "broken"))
        os.symlink("manifests", self.tree.path("a", "broken", "manifests"))
        self.assertEqual(self.listed(), ["a/b"])

    def test_links_that_lead_out(self) -> None:
        """Directories outside of the root are not listed."""
        elsewhere = os.path.abspath(self.mktemp())
        os.makedirs(f"{elsewhere}/secret/manifests")
        os.symlink(elsewhere, self.tree.path("away"))
        self.assertEqual(self.listed(), [])

    def test_closed_directory(self) -> None:
        """A directory that this user may not read hides no other one."""
        for name in ("a", "b/c", "d"):
            self.tree.add_repository(name)
        os.chmod(self.tree.path("b"), 0)
        self.addCleanup(os.chmod, self.tree.path("b"), 0o755)
        with without_privileges(self.root):
            self.assertEqual(self.listed(), ["a", "d"])

    def test_denied_directory(self) -> None:
        """A directory that this user may not list can be a repository, and hides no other."""
        for name in ("a", "b/c", "d", "e"):
            self.tree.add_repository(name)
        deny(self, "open", "a", "b", "d")
        deny(self, "stat", self.tree.path("d", "manifests"))
        self.assertEqual(self.listed(), ["a", "e"])

    def test_parts_of_a_repository(self) -> None:
        """The files of a repository are not read."""
        digest = self.tree.add_image("a/b", "1")
        for at in range(50):
            self.tree.add_tag("a/b", f"tag-{at}", digest)
            self.tree.add_blob(b"%d" % at)
        scanned, looked = self.count("scandir"), self.count("stat")
        self.assertEqual(self.listed(), ["a/b"])
        self.assertLessEqual(len(scanned), 5)
        self.assertLess(len(looked), 10)

    def test_many_repositories(self) -> None:
        """For each repository, only its own directory is read, and not the two in it."""
        for at in range(20):
            os.makedirs(self.tree.path(f"r{at}", "blobs"))
            os.makedirs(self.tree.path(f"r{at}", "manifests"))
        scanned, opened = self.count("scandir"), self.count("open")
        self.assertEqual(len(self.listed()), 20)
        if os.stat(self.tree.path("r1", "blobs")).st_nlink == 2:
            self.assertEqual(len(scanned), 21)
            self.assertLess(len(opened), 50)

    def test_repositories_called_blobs(self) -> None:
        """A repository may be called ``blobs`` or ``manifests``."""
        for name in ("a/blobs", "blobs/c", "manifests", "d/manifests"):
            os.makedirs(self.tree.path(name, "manifests"))
        self.assertEqual(self.listed(), ["a/blobs", "blobs/c", "d", "d/manifests", "manifests"])

    def test_lazy(self) -> None:
        """Only the part of the tree that a page needs is read."""
        for at in range(20):
            self.tree.add_repository(f"r{at:02}/a")
        scanned = self.count("scandir")
        page = list(islice(self.store.iterate_repositories("r09/b"), 2))
        self.assertEqual(page, ["r10/a", "r11/a"])
        self.assertLess(len(scanned), 15)

    def test_seen_at_once(self) -> None:
        """Added and removed repositories are noticed at once."""
        self.tree.add_repository("a")
        self.assertEqual(self.listed(), ["a"])
        self.tree.add_repository("b")
        os.rename(self.tree.path("a"), self.tree.path("c"))
        self.assertEqual(self.listed(), ["b", "c"])

    @settings(deadline=None, database=None, max_examples=60)
    @given(st.sets(NAMES, max_size=8), st.one_of(NAMES, st.text("ab/-.0", max_size=5)))
    def test_any_names(self, names: set[str], after: str) -> None:
        """Any repositories are listed as if all were sorted first."""
        with tempfile.TemporaryDirectory() as root:
            for name in names:
                os.makedirs(os.path.join(root, name, "manifests"), exist_ok=True)
            there = {
                os.path.relpath(place, root)
                for place, directories, _ in os.walk(root)
                if "manifests" in directories and place != root
            }
            expected = sorted(name for name in there if name > after and is_repository(name))
            self.assertEqual(list(RegistryTree(root).iterate_repositories(after)), expected)


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
