"""Tests for ``minreg.store.cache``."""

import json
import os
from io import FileIO
from threading import Thread

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.store.cache import (
    LARGEST_MANIFEST,
    MOST_UNUSED,
    LeastRecentlyUsedCache,
    ManifestCache,
    ParsedManifest,
    ValidatedCache,
    fingerprint,
    is_settled,
)
from minreg.store.interfaces import ContentInvalid, StoreUnavailable
from minreg.store.rooted import OpenedFile, RootedDirectory
from tests.fastpath import TAG, FastPathTestCase
from tests.store_support import ABSENT, StoreTestCase
from tests.support import Response
from tests.trees import descriptor

SECOND = 1_000_000_000


class SignatureTests(SynchronousTestCase):
    """Tests for ``fingerprint`` and ``is_settled``."""

    def setUp(self) -> None:
        """Write a file."""
        self.path = self.mktemp()
        with open(self.path, "wb") as file:
            file.write(b"content")
        self.status = os.stat(self.path)

    def test_unchanged(self) -> None:
        """The fingerprint of a file does not change when the file is read."""
        with open(self.path, "rb") as file:
            file.read()
        self.assertEqual(fingerprint(os.stat(self.path)), fingerprint(self.status))

    def test_times_set_back(self) -> None:
        """Another file of the same size and time, as tar and rsync create, is noticed."""
        with open(f"{self.path}.new", "wb") as file:
            file.write(b"CONTENT")
        os.utime(f"{self.path}.new", ns=(self.status.st_atime_ns, self.status.st_mtime_ns))
        os.rename(f"{self.path}.new", self.path)
        self.assertNotEqual(fingerprint(os.stat(self.path)), fingerprint(self.status))

    def test_settled(self) -> None:
        """A fingerprint is trusted a second after the last change."""
        changed = self.status.st_ctime_ns
        self.assertFalse(is_settled(self.status, changed))
        self.assertFalse(is_settled(self.status, changed + SECOND))
        self.assertTrue(is_settled(self.status, changed + SECOND + 1))

    def test_clock_set_back(self) -> None:
        """A change in the future was made before the clock was set: it is not recent."""
        self.assertTrue(is_settled(self.status, self.status.st_ctime_ns - 2 * SECOND))


class RecentlyUsedTests(SynchronousTestCase):
    """Tests for ``LeastRecentlyUsedCache``."""

    def test_keep(self) -> None:
        """Values are returned, also those that are false."""
        kept: LeastRecentlyUsedCache[str, bool] = LeastRecentlyUsedCache(2)
        kept.put("a", value=False)
        self.assertEqual(kept.get("a"), False)
        self.assertIsNone(kept.get("b"))

    def test_least_recently_used(self) -> None:
        """The least recently used value is dropped."""
        kept: LeastRecentlyUsedCache[str, int] = LeastRecentlyUsedCache(2)
        kept.put("a", 1)
        kept.put("b", 2)
        kept.get("a")
        kept.put("c", 3)
        self.assertEqual([kept.get(key) for key in "abc"], [1, None, 3])

    def test_cost(self) -> None:
        """The total cost does not exceed the capacity."""
        kept: LeastRecentlyUsedCache[str, int] = LeastRecentlyUsedCache(10)
        kept.put("a", 1, 4)
        kept.put("b", 2, 4)
        kept.put("c", 3, 6)
        self.assertEqual([kept.get(key) for key in "abc"], [None, 2, 3])

    def test_replace(self) -> None:
        """A new value replaces the old one, and so does its cost."""
        kept: LeastRecentlyUsedCache[str, int] = LeastRecentlyUsedCache(10)
        for value in range(100):
            kept.put("a", value, 5)
        kept.put("b", 1, 5)
        self.assertEqual([kept.get(key) for key in "ab"], [99, 1])

    def test_too_large(self) -> None:
        """A value that exceeds the capacity is not cached, and no other is dropped."""
        kept: LeastRecentlyUsedCache[str, int] = LeastRecentlyUsedCache(10)
        kept.put("a", 1, 5)
        kept.put("b", 2, 11)
        self.assertEqual([kept.get(key) for key in "ab"], [1, None])
        kept.put("a", 3, 11)
        self.assertIsNone(kept.get("a"))
        kept.put("c", 4, 10)
        self.assertEqual(kept.get("c"), 4)

    def test_threads(self) -> None:
        """Several threads may use the cache at once, and the costs stay correct."""
        kept: LeastRecentlyUsedCache[int, int] = LeastRecentlyUsedCache(50)

        def work(seed: int) -> None:
            for at in range(2000):
                key = (at * seed) % 97
                kept.put(key, key, key % 7)
                kept.get(key + 1)

        threads = [Thread(target=work, args=(seed,)) for seed in (1, 3, 5, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        left = [key for key in range(97) if kept.get(key) is not None]
        self.assertLessEqual(sum(key % 7 for key in left), 50)
        kept.put(1000, 1000, 50)
        self.assertEqual(kept.get(1000), 1000)


class ValidatedCacheTests(SynchronousTestCase):
    """Tests for ``ValidatedCache``."""

    def setUp(self) -> None:
        """Cache one value."""
        self.clock = Clock()
        self.is_current = True
        self.cache: ValidatedCache[str, int] = ValidatedCache(self.clock, 100)
        self.cache.put("one", 1, lambda: self.is_current, 40)

    def test_kept(self) -> None:
        """A cached value is returned, and None for another key."""
        self.assertEqual((self.cache.get("one"), self.cache.get("two")), (1, None))

    def test_not_current(self) -> None:
        """A value that is not current is not returned."""
        self.is_current = False
        self.assertIsNone(self.cache.get("one"))

    def test_fresh(self) -> None:
        """A value is returned as long as it is used regularly."""
        for _ in range(3):
            self.clock.advance(MOST_UNUSED)
            self.assertEqual(self.cache.get("one"), 1)
        self.clock.advance(MOST_UNUSED + 1)
        self.assertIsNone(self.cache.get("one"))

    def test_bounded(self) -> None:
        """The least recently used value is dropped first."""
        self.cache.put("two", 2, lambda: True, 40)
        self.cache.get("one")
        self.cache.put("three", 3, lambda: True, 40)
        found = [self.cache.get(key) for key in ("one", "two", "three")]
        self.assertEqual(found, [1, None, 3])


class SmallContentTests(FastPathTestCase):
    """Tests for manifests that are requested with different namespaces."""

    def test_namespace(self) -> None:
        """The content of one registry is never the response for another."""
        self.tree.add_image("quay.io/rancher/pause", "3.6", b"other")
        answers: dict[str, Response] = {}
        for _ in range(2):
            for namespace in ("docker.io", "quay.io"):
                answer = self.request(f"{TAG}?ns={namespace}", headers={"if-match": "x"})
                self.assertEqual(answers.setdefault(namespace, answer), answer)
        self.assertNotEqual(answers["docker.io"].body, answers["quay.io"].body)
        self.assertEqual(answers["quay.io"].header("oci-namespace"), "quay.io")
        self.assertIsNone(answers["docker.io"].header("oci-namespace"))


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


MANIFEST = json.dumps(
    {
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG, ABSENT, 1),
        "layers": [descriptor(OCI_LAYER, ABSENT, 1)],
    }
).encode()


class ManifestCacheTestCase(StoreTestCase):
    """Files that may be manifests."""

    def setUp(self) -> None:
        """Create an empty cache."""
        super().setUp()
        self.files = RootedDirectory(self.root)
        self.documents = ManifestCache(now=self.now)

    def read(self, content: bytes, digest: Digest | None = None) -> ParsedManifest:
        """Write a file, and read it as a manifest."""
        self.tree.write(content, "file")
        return self.read_again(digest)

    def read_again(self, digest: Digest | None = None) -> ParsedManifest:
        """Read the file again."""
        opened = self.files.open_file("file")
        with opened.file as file:
            document = self.documents.read(opened, digest)
            self.assertEqual(file.tell(), 0)
        return document

    def look(self, content: bytes) -> bool:
        """Write a file, and return whether it is a manifest."""
        self.tree.write(content, "file")
        opened = self.files.open_file("file")
        with opened.file as file:
            answer = self.documents.is_manifest(opened)
            self.assertEqual(file.tell(), 0)
        return answer


class ReadTests(ManifestCacheTestCase):
    """Tests for ``ManifestCache.read``."""

    def test_read(self) -> None:
        """A manifest's digest and size are those of its bytes, whatever the file's name is."""
        document = self.read(MANIFEST)
        self.assertEqual((document.digest, document.size), (Digest.of(MANIFEST), len(MANIFEST)))
        self.assertEqual(document.manifest.media_type, OCI_MANIFEST)

    def test_both_algorithms(self) -> None:
        """One file may be requested by its SHA-256 and its SHA-512 digest."""
        self.settle()
        for algorithm in ("sha256", "sha512", "sha256"):
            digest = Digest.of(MANIFEST, algorithm)
            self.assertEqual(self.read(MANIFEST, digest).digest, digest)

    def test_not_what_its_name_says(self) -> None:
        """An invalid manifest is refused with its path and a fix, also if it is cached."""
        self.settle()
        for _ in range(2):
            error = self.assertRaises(ContentInvalid, self.read, MANIFEST, ABSENT)
            self.assertEqual(
                str(error),
                f"{self.root}/file does not hold what its name says, but "
                f"{Digest.of(MANIFEST)}: copy it again",
            )

    def test_no_manifest(self) -> None:
        """A file that is not a manifest is refused, with its path and a fix."""
        error = self.assertRaises(ContentInvalid, self.read, b"[]")
        self.assertEqual(
            str(error),
            f"{self.root}/file is not a manifest: it is not a JSON object; remove it",
        )

    def test_too_large(self) -> None:
        """A file that is too large for a manifest is not read."""
        os.truncate(self.tree.write(b"{", "file"), LARGEST_MANIFEST + 1)
        error = self.assertRaises(ContentInvalid, self.read_again)
        self.assertEqual(str(error), f"{self.root}/file is too large to be a manifest: remove it")

    def test_large(self) -> None:
        """A manifest that is too large for clients is read."""
        document = self.read(MANIFEST + b" " * 5_000_000)
        self.assertEqual(document.size, len(MANIFEST) + 5_000_000)

    def test_remembered(self) -> None:
        """A parsed manifest is cached until the file changes."""
        self.settle()
        first = self.read(MANIFEST)
        self.assertIs(self.read_again(), first)
        self.assertEqual(self.read(b" " + MANIFEST[:-1] + b"}").size, len(MANIFEST) + 1)

    def test_two_changes_in_one_tick(self) -> None:
        """A file that was changed a moment ago is read again."""
        for at in range(50):
            content = MANIFEST + b" " * (at % 2) + b"\n" * (1 - at % 2)
            self.assertEqual(self.read(content).digest, Digest.of(content))

    def test_faulty_disk(self) -> None:
        """A disk error makes the store unavailable."""
        self.tree.write(MANIFEST, "file")
        with FileIO("/proc/self/mem") as memory:
            opened = OpenedFile(memory, os.stat(self.tree.path("file")), "file")
            error = self.refusal(StoreUnavailable, self.documents.read, opened, None)
            self.assertEqual(str(error), "file: Input/output error")
            error = self.refusal(StoreUnavailable, self.documents.is_manifest, opened)
            self.assertEqual(str(error), "file: Input/output error")


class IsManifestTests(ManifestCacheTestCase):
    """Tests for ``ManifestCache.is_manifest``."""

    def test_kinds(self) -> None:
        """Manifests are distinguished from configs and layers."""
        self.assertTrue(self.look(MANIFEST))
        self.assertTrue(self.look(b"\n " + MANIFEST))
        for content in (b"layer", b"\x1f\x8b", b"{", b'{"os": "linux"}', b" " * 64 + MANIFEST):
            self.assertFalse(self.look(content), content)

    def test_large(self) -> None:
        """A large blob is not read."""
        self.assertFalse(self.look(MANIFEST + b" " * 4 * 1024 * 1024))

    def test_remembered(self) -> None:
        """The result is cached until the file changes."""
        self.settle()
        for _ in range(2):
            self.assertTrue(self.look(MANIFEST))
            self.assertFalse(self.look(MANIFEST.replace(b"{", b"[", 1)))
