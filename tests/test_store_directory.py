"""Tests for ``minreg.store.directory``."""

import json

from minreg.oci.names import Digest
from minreg.store.directory import ManifestCache, RepositoryDirectory, digest_in_name
from minreg.store.interfaces import StoreUnavailable
from minreg.store.rooted import RootedDirectory
from tests.store_support import ABSENT, StoreTestCase

NAME = "rancher/pause"


class RepositoryDirectoryTests(StoreTestCase):
    """Tests for ``RepositoryDirectory``."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.digest = self.tree.add_image(NAME, "3.6")
        self.directory = RepositoryDirectory(
            NAME, RootedDirectory(self.root), ManifestCache(now=self.now)
        )

    def test_open_manifest_in_blobs(self) -> None:
        """Only a manifest in ``blobs`` is opened, and no other blob."""
        misfiled = self.tree.add_blob(json.dumps(self.tree.image(b"other")).encode())
        opened = self.directory.open_manifest_in_blobs(misfiled)
        assert opened is not None
        opened.file.close()
        self.assertIsNone(self.directory.open_manifest_in_blobs(Digest.of(b"layer")))
        self.assertIsNone(self.directory.open_manifest_in_blobs(ABSENT))

    def test_read_if_valid(self) -> None:
        """Invalid and missing manifests are None."""
        document = self.directory.read_if_valid(f"manifests/{self.digest}")
        assert document is not None
        self.assertEqual(document.digest, self.digest)
        self.tree.write(b"{}", NAME, "manifests", str(ABSENT))
        for place in (f"manifests/{ABSENT}", "manifests/no", f"blobs/{Digest.of(b'layer')}"):
            self.assertIsNone(self.directory.read_if_valid(place), place)

    def test_no_root(self) -> None:
        """If the root is missing, an error is raised."""
        directory = RepositoryDirectory(NAME, RootedDirectory(self.mktemp()), ManifestCache())
        self.refusal(StoreUnavailable, directory.read_if_valid, "manifests/3.6")

    def test_linked_digest(self) -> None:
        """A tag that is a link has the digest that the link points to."""
        self.assertEqual(self.directory.digest_linked_by("3.6"), self.digest)
        self.assertIsNone(self.directory.digest_linked_by("3.7"))
        self.assertIsNone(self.directory.digest_linked_by(str(self.digest)))

    def test_digest_in_name(self) -> None:
        """The digest in a file's name is returned."""
        self.assertEqual(digest_in_name(f"a/b/{ABSENT}"), ABSENT)
        for path in ("", "latest", f"{ABSENT}/latest", f"{ABSENT}.new"):
            self.assertIsNone(digest_in_name(path), path)
