"""Tests for ``minreg.store.index``: caching indexes."""

import json
import os

from minreg.oci.names import OCI_LAYER, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.directory import ManifestCache, RepositoryDirectory
from minreg.store.index import RepositoryIndex, RepositoryIndexCache
from minreg.store.interfaces import ContentInvalid, ContentNotFound
from minreg.store.rooted import RootedDirectory
from tests.store_support import ABSENT, StoreTestCase
from tests.trees import descriptor, index

NAME = "rancher/pause"
LAYER = Digest.of(b"layer")


class RepositoryIndexCacheTests(StoreTestCase):
    """Tests for ``RepositoryIndexCache``."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.digest = self.tree.add_image(NAME, "3.6")
        self.indexes = RepositoryIndexCache(now=self.now)
        documents = ManifestCache(now=self.now)
        self.directory = RepositoryDirectory(NAME, RootedDirectory(self.root), documents)

    def index(self) -> RepositoryIndex:
        """Return the repository's index, built or cached."""
        return self.indexes.get(self.directory).index

    def test_what_is_read(self) -> None:
        """Files that are neither tags nor named after a digest are not read."""
        self.tree.write(json.dumps(self.tree.image(b"other")).encode(), NAME, "manifests", ".new")
        self.assertEqual(self.index().paths, {self.digest: f"manifests/{self.digest}"})

    def test_remembered(self) -> None:
        """An unchanged repository is read once."""
        self.settle()
        self.assertIs(self.index(), self.index())

    def test_just_changed(self) -> None:
        """A repository that was changed a moment ago is read again."""
        self.stop_time()
        self.assertIsNot(self.index(), self.index())

    def test_forgotten(self) -> None:
        """A large index displaces others when the capacity is exceeded."""
        self.indexes = RepositoryIndexCache(3, now=self.now)
        self.tree.add_image("other", "1")
        other = RepositoryDirectory(
            "other", RootedDirectory(self.root), ManifestCache(now=self.now)
        )
        self.settle()
        first = self.index()
        self.indexes.get(other)
        self.assertIsNot(self.index(), first)

    def test_larger_than_all(self) -> None:
        """An index that exceeds the capacity is cached alone."""
        self.indexes = RepositoryIndexCache(3, now=self.now)
        self.settle()
        self.assertIs(self.index(), self.index())

    def test_same_manifests_other_blobs(self) -> None:
        """Repositories that share their manifests need not share their blobs."""
        self.settle()
        misfiled = json.dumps({**self.tree.image(), "mediaType": None}).encode()
        self.tree.add_tag(NAME, "lost", Digest.of(misfiled))
        self.settle()
        self.assertNotIn(Digest.of(misfiled), self.index().paths)
        os.makedirs(self.tree.path("copy", "blobs"))
        os.symlink(f"../{NAME}/manifests", self.tree.path("copy", "manifests"))
        self.tree.write(misfiled, "copy", "blobs", str(Digest.of(misfiled)))
        self.manifest(Digest.of(misfiled), "copy")
        self.refusal(ContentNotFound, self.find().open_manifest, Digest.of(misfiled))

    def test_damaged_manifests(self) -> None:
        """An invalid manifest is left out, and included once it is replaced in place."""
        written = json.dumps(self.tree.image(b"other")).encode()
        digest = Digest.of(written)
        self.tree.write(b"{", NAME, "manifests", str(digest))
        self.settle()
        self.assertNotIn(digest, self.index().paths)
        self.assertIs(self.index(), self.index())
        self.tree.write(written, NAME, "manifests", str(digest))
        self.assertIn(digest, self.index().paths)

    def test_cost(self) -> None:
        """With a cached index, no manifest is opened to serve a blob."""
        self.settle()
        repository = self.find()
        repository.open_blob(LAYER).close()
        opened = self.count("open")
        repository.open_blob(LAYER).close()
        self.assertLessEqual(len(opened), 5)
        self.assertFalse([path for path in opened if "manifests/" in path], opened)


class ChangesTests(StoreTestCase):
    """Tests for changes that the next request must notice."""

    def setUp(self) -> None:
        """Add an image to the tree, and let time pass."""
        super().setUp()
        self.digest = self.tree.add_image(NAME, "3.6")
        self.remember()

    def remember(self) -> None:
        """Make the store cache everything that it can."""
        self.settle()
        repository = self.find()
        repository.list_tags()
        repository.list_referrers(self.digest)
        self.refusal(ContentNotFound, repository.open_manifest, ABSENT)
        repository.open_blob(LAYER).close()
        repository.open_manifest("3.6").close()

    def plain(self, layer: bytes, **more: object) -> Digest:
        """Overwrite a tag that is a file of its own with another image, in place."""
        written = json.dumps(self.tree.image(layer, **more)).encode()
        self.tree.write(written, NAME, "manifests", "plain")
        return Digest.of(written)

    def test_added(self) -> None:
        """An image that is added is served at once."""
        digest = self.tree.add_image(NAME, "3.7", b"new layer")
        self.manifest("3.7")
        self.manifest(digest)
        self.assertEqual(self.blob(Digest.of(b"new layer")), b"new layer")
        self.assertEqual(self.find().list_tags(), ["3.6", "3.7"])

    def test_tag_is_moved(self) -> None:
        """A tag that is linked to another manifest is served with that one."""
        digest = self.tree.add_image(NAME, "new", b"new layer")
        manifests = self.tree.path(NAME, "manifests")
        for wanted in (digest, self.digest, digest):
            os.symlink(str(wanted), f"{manifests}/moving")
            os.replace(f"{manifests}/moving", f"{manifests}/3.6")
            content = self.find().open_manifest("3.6")
            content.close()
            self.assertEqual(content.digest, wanted)

    def test_removed(self) -> None:
        """Removed content is not found."""
        os.unlink(self.tree.path("blobs", str(LAYER)))
        self.refusal(ContentNotFound, self.find().open_blob, LAYER)
        os.unlink(self.tree.path(NAME, "manifests", "3.6"))
        self.refusal(ContentNotFound, self.find().open_manifest, "3.6")
        os.unlink(self.tree.path(NAME, "manifests", str(self.digest)))
        self.refusal(ContentNotFound, self.find().open_manifest, self.digest)
        self.assertEqual(self.find().list_tags(), [])

    def test_damaged(self) -> None:
        """A file that becomes invalid is noticed, and so is its repair."""
        path = self.tree.path(NAME, "manifests", str(self.digest))
        with open(path, "rb") as file:
            written = file.read()
        for _ in range(3):
            self.tree.write(b"X" + written[1:], NAME, "manifests", str(self.digest))
            self.refusal(ContentInvalid, self.find().open_manifest, self.digest)
            self.tree.write(written, NAME, "manifests", str(self.digest))
            self.assertEqual(self.manifest(self.digest), written)

    def test_plain_tag_overwritten(self) -> None:
        """After a tag's file is overwritten in place, its new digest is served too."""
        old = self.plain(b"layer 0")
        self.remember()
        for at in range(1, 20):
            digest = self.plain(b"layer %d" % (at % 10))
            content = self.find().open_manifest("plain")
            content.close()
            self.assertEqual(content.digest, digest)
            self.manifest(digest)
            self.refusal(ContentNotFound, self.find().open_manifest, old)
            old = digest

    def test_plain_tag_beside_its_digest(self) -> None:
        """This also holds if the same manifest was stored under its digest before."""
        with open(self.tree.path(NAME, "manifests", str(self.digest)), "rb") as file:
            self.tree.write(file.read(), NAME, "manifests", "plain")
        self.remember()
        self.manifest(self.plain(b"another layer"))

    def test_plain_tag_and_referrers(self) -> None:
        """A referrer that is overwritten in place refers to its new subject."""
        for subject in (self.digest, ABSENT, self.digest):
            refers = descriptor(OCI_MANIFEST, subject, 1)
            digest = self.plain(b"signature", subject=refers)
            found = self.find().list_referrers(subject)
            self.assertEqual([referrer.digest for referrer in found], [digest])
            self.remember()

    def test_plain_index_overwritten(self) -> None:
        """An image index that is overwritten in place has its new platforms."""
        for system in ("linux", "windows"):
            platform = {"os": system, "architecture": "amd64"}
            child = descriptor(OCI_MANIFEST, ABSENT, 1, platform=platform)
            written = json.dumps(index([child])).encode()
            self.tree.write(written, NAME, "manifests", "plain")
            error = self.refusal(ContentNotFound, self.find().open_manifest, ABSENT)
            self.assertEqual(error.platform, Platform(system, "amd64"))
            self.remember()

    def test_sizes(self) -> None:
        """A size that a new manifest states applies at once."""
        image = {**self.tree.image(), "layers": [descriptor(OCI_LAYER, LAYER, 9)]}
        self.tree.write(b"layer....", "blobs", str(LAYER))
        self.refusal(ContentInvalid, self.find().open_blob, LAYER)
        self.tree.add_manifest(NAME, image)
        self.assertEqual(self.blob(LAYER), b"layer....")

    def test_misfiled_child_vanishes(self) -> None:
        """A manifest in ``blobs`` that an index lists is not found once it is removed."""
        child = self.tree.add_blob(json.dumps(self.tree.image(b"other")).encode())
        self.tree.add_manifest(NAME, index([descriptor(OCI_MANIFEST, child, 1)]))
        self.remember()
        self.manifest(child)
        os.unlink(self.tree.path("blobs", str(child)))
        self.refusal(ContentNotFound, self.find().open_manifest, child)

    def test_linked_manifest_vanishes(self) -> None:
        """A manifest behind a link is not a referrer any more once its target is removed."""
        refers = descriptor(OCI_MANIFEST, self.digest, 1)
        written = json.dumps(self.tree.image(subject=refers)).encode()
        stored = self.tree.write(written, "store", "file")
        os.symlink(stored, self.tree.path(NAME, "manifests", str(Digest.of(written))))
        self.remember()
        self.assertEqual(len(self.find().list_referrers(self.digest)), 1)
        os.unlink(stored)
        self.assertEqual(self.find().list_referrers(self.digest), [])
