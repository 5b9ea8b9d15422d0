"""Tests of the store with trees in all layouts that are in use."""

import json
import os
import shutil

from minreg.oci.names import OCI_INDEX, OCI_MANIFEST, Digest
from minreg.store.interfaces import ContentInvalid
from tests.store_support import StoreTestCase, read
from tests.trees import descriptor, index

NAME = "rancher/pause"
LAYER = Digest.of(b"layer")


class ShapesTests(StoreTestCase):
    """Tests for one image in a tree of any layout."""

    def setUp(self) -> None:
        """Add an image to the tree, as the script does."""
        super().setUp()
        self.digest = self.tree.add_image(NAME, "3.6")
        self.written = self.manifest("3.6")
        self.settle()

    def assert_served(self, name: str = NAME, tag: str = "3.6") -> None:
        """Pull the image as a client does: the tag, the manifest, the blobs."""
        content = self.find(name).open_manifest(tag)
        self.assertEqual((content.digest, content.media_type), (self.digest, OCI_MANIFEST))
        self.assertEqual(read(content), self.written)
        self.assertEqual(self.manifest(self.digest, name), self.written)
        self.assertEqual(self.blob(LAYER, name), b"layer")
        self.assertIn(tag, self.find(name).list_tags())

    def move_blobs(self, place: str) -> None:
        """Move all blobs to another directory."""
        os.rename(self.tree.path("blobs"), place)

    def test_script(self) -> None:
        """All repositories link to one directory of blobs."""
        self.assertEqual(os.readlink(self.tree.path("rancher/pause/blobs")), "../blobs")
        self.assertEqual(os.readlink(self.tree.path("rancher/blobs")), "../blobs")
        self.assert_served()

    def test_real_directories(self) -> None:
        """Each repository has its own blobs."""
        os.unlink(self.tree.path(NAME, "blobs"))
        self.move_blobs(self.tree.path(NAME, "blobs"))
        self.assert_served()

    def test_hard_links(self) -> None:
        """Each repository has hard links to the blobs, and tags are hard links too."""
        os.unlink(self.tree.path(NAME, "blobs"))
        shutil.copytree(
            self.tree.path("blobs"), self.tree.path(NAME, "blobs"), copy_function=os.link
        )
        manifests = self.tree.path(NAME, "manifests")
        os.unlink(f"{manifests}/3.6")
        os.link(f"{manifests}/{self.digest}", f"{manifests}/3.6")
        self.assert_served()

    def test_absolute_link(self) -> None:
        """Links have absolute targets."""
        os.unlink(self.tree.path(NAME, "blobs"))
        os.symlink(self.tree.path("blobs"), self.tree.path(NAME, "blobs"))
        os.unlink(self.tree.path(NAME, "manifests", "3.6"))
        os.symlink(
            self.tree.path(NAME, "manifests", str(self.digest)),
            self.tree.path(NAME, "manifests", "3.6"),
        )
        self.assert_served()

    def test_blobs_elsewhere(self) -> None:
        """Blobs outside of the root are served only if the operator allows it."""
        elsewhere = os.path.abspath(self.mktemp())
        self.move_blobs(elsewhere)
        os.symlink(elsewhere, self.tree.path("blobs"))
        error = self.refusal(ContentInvalid, self.find().open_blob, LAYER)
        self.assertIn(f"leads out of the root, to {elsewhere}/{LAYER}", str(error))
        self.assertIn(f"--allow-links-to {elsewhere}", str(error))
        allowed = self.repository(NAME, elsewhere)
        self.assertEqual(read(allowed.open_blob(LAYER)), b"layer")

    def test_link_for_each_file(self) -> None:
        """Manifests and blobs are links to files with other names."""
        for place in (f"{NAME}/manifests/{self.digest}", f"blobs/{LAYER}"):
            stored = self.tree.path("store", os.path.basename(place).replace(":", "-"))
            os.makedirs(os.path.dirname(stored), exist_ok=True)
            os.rename(self.tree.path(place), stored)
            os.symlink(stored, self.tree.path(place))
        self.assert_served()

    def test_plain_tag(self) -> None:
        """A tag is a regular file, as after copying without links."""
        manifests = self.tree.path(NAME, "manifests")
        os.unlink(f"{manifests}/3.6")
        os.rename(f"{manifests}/{self.digest}", f"{manifests}/3.6")
        self.assert_served()

    def test_tag_of_another_repository(self) -> None:
        """A tag may link to a manifest in another repository."""
        self.tree.add_repository("copy")
        os.symlink(
            f"../../{NAME}/manifests/{self.digest}", self.tree.path("copy", "manifests", "3.6")
        )
        self.assert_served("copy")

    def test_repository_is_a_link(self) -> None:
        """A repository is a link to another one, or its directory of manifests is."""
        os.symlink("pause", self.tree.path("rancher", "mirrored-pause"))
        self.assert_served("rancher/mirrored-pause")
        os.makedirs(self.tree.path("copy"))
        for name in ("manifests", "blobs"):
            os.symlink(f"../{NAME}/{name}", self.tree.path("copy", name))
        self.assert_served("copy")

    def test_tag_of_a_tag(self) -> None:
        """A tag links to another tag."""
        os.symlink("3.6", self.tree.path(NAME, "manifests", "latest"))
        self.assert_served(tag="latest")

    def test_root_is_a_link(self) -> None:
        """The whole tree was moved, and a link has its old name."""
        os.rename(self.root, f"{self.root}.moved")
        os.symlink(f"{self.root}.moved", self.root)
        self.assert_served()

    def test_tree_is_exchanged(self) -> None:
        """The whole tree is replaced between two requests."""
        self.assert_served()
        shutil.copytree(self.root, f"{self.root}.new", symlinks=True)
        os.rename(self.root, f"{self.root}.old")
        os.rename(f"{self.root}.new", self.root)
        self.assert_served()


class MisfiledTests(StoreTestCase):
    """Tests for manifests without ``mediaType``, which the script stores in ``blobs``."""

    def misfile(self, document: dict[str, object]) -> Digest:
        """Store a manifest without its media type in ``blobs``."""
        document.pop("mediaType")
        self.tree.add_repository(NAME)
        return self.tree.add_blob(json.dumps(document).encode())

    def test_image(self) -> None:
        """It is served as a manifest, and not as a blob."""
        digest = self.misfile(self.tree.image())
        self.tree.add_tag(NAME, "3.6", digest)
        self.tree.add_tag(NAME, "3.6-again", digest)
        for reference in ("3.6", "3.6-again", digest):
            content = self.find().open_manifest(reference)
            content.close()
            self.assertEqual((content.digest, content.media_type), (digest, OCI_MANIFEST))
        self.assertEqual(self.find().list_tags(), ["3.6", "3.6-again"])
        self.assertEqual(self.blob(LAYER), b"layer")

    def test_index(self) -> None:
        """An index in ``blobs`` is found with its children; a missing child is named."""
        child = self.misfile(self.tree.image())
        platform = {"os": "linux", "architecture": "s390x"}
        missing = Digest.of(b"missing")
        children = [
            descriptor(OCI_MANIFEST, child, 9),
            descriptor(OCI_MANIFEST, missing, 9, platform=platform),
        ]
        self.tree.add_tag(NAME, "3.6", self.misfile(index(children)))
        content = self.find().open_manifest("3.6")
        content.close()
        self.assertEqual(content.media_type, OCI_INDEX)
        self.find().open_manifest(child).close()
        error = self.assertRaises(LookupError, self.find().open_manifest, missing)
        self.assertIn("for linux/s390x is not in repository", str(error))

    def test_damaged(self) -> None:
        """A manifest in ``blobs`` with the wrong digest is not served."""
        digest = self.misfile(self.tree.image())
        self.tree.add_tag(NAME, "3.6", digest)
        path = self.tree.path("blobs", str(digest))
        with open(path, "ab") as file:
            file.write(b" ")
        for reference in ("3.6", digest):
            error = self.refusal(ContentInvalid, self.find().open_manifest, reference)
            self.assertIn(f"{path} does not hold what its name says", str(error))
