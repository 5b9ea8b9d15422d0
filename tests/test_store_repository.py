"""Tests for ``minreg.store.repository``: manifests by tag and by digest."""

import json
import os

from zope.interface.verify import verifyObject

from minreg.oci.names import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.interfaces import (
    ContentInvalid,
    ContentNotFound,
    IRepository,
    RepositoryNotFound,
)
from tests.store_support import ABSENT, StoreTestCase, open_files, read
from tests.trees import descriptor, index

NAME = "rancher/pause"


class ManifestTests(StoreTestCase):
    """Tests for ``TreeRepository.open_manifest``."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.digest = self.tree.add_image(NAME, "3.6")
        self.written = json.dumps(self.tree.image()).encode()

    def test_interface(self) -> None:
        """A repository provides ``IRepository``."""
        verifyObject(IRepository, self.find())

    def test_by_tag_and_digest(self) -> None:
        """A manifest is the stored bytes, with its digest, its size and its media type."""
        for reference in ("3.6", self.digest):
            content = self.find().open_manifest(reference)
            self.assertEqual(content.media_type, OCI_MANIFEST)
            self.assertEqual((content.digest, content.size), (self.digest, len(self.written)))
            self.assertEqual(read(content), self.written)

    def test_unknown(self) -> None:
        """A missing manifest is an error that leaves no file open."""
        error = self.refusal(ContentNotFound, self.find().open_manifest, "3.7")
        self.assertEqual(str(error), "tag 3.7 is not in repository rancher/pause")
        error = self.refusal(ContentNotFound, self.find().open_manifest, ABSENT)
        self.assertEqual(str(error), f"manifest {ABSENT} is not in repository rancher/pause")
        self.assertIsNone(error.platform)

    def test_blob_is_no_manifest(self) -> None:
        """A layer or a config is never served as a manifest."""
        for blob in (Digest.of(b"layer"), Digest.of(b'{"architecture": "amd64", "os": "linux"}')):
            self.refusal(ContentNotFound, self.find().open_manifest, blob)

    def test_sha512(self) -> None:
        """A manifest that is stored under its SHA-512 digest is served with it."""
        digest = Digest.of(self.written, "sha512")
        self.tree.write(self.written, NAME, "manifests", str(digest))
        self.tree.add_tag(NAME, "long", digest)
        for reference in ("long", digest):
            content = self.find().open_manifest(reference)
            self.assertEqual(content.digest, digest)
            self.assertEqual(read(content), self.written)

    def test_damaged(self) -> None:
        """A manifest with the wrong digest is not served, by tag or by digest."""
        self.tree.write(self.written + b" ", NAME, "manifests", str(self.digest))
        for reference in ("3.6", self.digest):
            error = self.refusal(ContentInvalid, self.find().open_manifest, reference)
            self.assertIn(
                f"{self.root}/rancher/pause/manifests/{self.digest} does not hold", str(error)
            )

    def test_not_a_manifest(self) -> None:
        """A file that is not a manifest is not served, and the error names it."""
        self.tree.write(b"text", NAME, "manifests", "text")
        error = self.refusal(ContentInvalid, self.find().open_manifest, "text")
        self.assertIn(f"{self.root}/rancher/pause/manifests/text is not a manifest", str(error))

    def test_special_files(self) -> None:
        """A tag that is not a regular file is refused at once."""
        os.mkfifo(self.tree.path(NAME, "manifests", "fifo"))
        os.makedirs(self.tree.path(NAME, "manifests", "directory"))
        os.mkfifo(self.tree.path(NAME, "manifests", str(ABSENT)))
        for reference in ("fifo", "directory", ABSENT):
            error = self.refusal(ContentInvalid, self.find().open_manifest, reference)
            self.assertIn("is not a file: remove it", str(error))
        self.refusal(ContentNotFound, self.find().open_manifest, "other")
        self.assertEqual(self.find().list_tags(), ["3.6"])

    def test_link_out(self) -> None:
        """A tag that leads out of the root is refused, unless that directory is allowed."""
        elsewhere = os.path.abspath(self.mktemp())
        os.rename(self.tree.path(NAME, "manifests", str(self.digest)), elsewhere)
        os.symlink(elsewhere, self.tree.path(NAME, "manifests", "out"))
        error = self.refusal(ContentInvalid, self.find().open_manifest, "out")
        self.assertIn("rancher/pause/manifests/out leads out of the root", str(error))
        allowed = self.repository(NAME, os.path.dirname(elsewhere))
        self.assertEqual(read(allowed.open_manifest("out")), self.written)

    def test_lost_link(self) -> None:
        """A tag whose manifest is missing is an error that the operator has to fix."""
        self.tree.add_tag(NAME, "lost", ABSENT)
        error = self.refusal(ContentInvalid, self.find().open_manifest, "lost")
        self.assertIn(f"tag lost of rancher/pause links to {ABSENT}, and that is", str(error))
        self.assertEqual(self.find().list_tags(), ["3.6"])

    def test_tags(self) -> None:
        """Tags are listed in the order of their bytes, without other files."""
        for tag in ("latest", "V1", "3.10", "_"):
            self.tree.add_tag(NAME, tag, self.digest)
        self.tree.write(self.written, NAME, "manifests", "plain")
        self.tree.write(self.written, NAME, "manifests", ".hidden")
        os.symlink("circle", self.tree.path(NAME, "manifests", "circle"))
        self.assertEqual(self.find().list_tags(), ["3.10", "3.6", "V1", "_", "latest", "plain"])

    def test_repository_vanishes(self) -> None:
        """A repository that is removed during a request is not found."""
        repository = self.find()
        os.rename(self.tree.path("rancher"), self.tree.path("gone"))
        self.refusal(RepositoryNotFound, repository.list_tags)
        self.refusal(RepositoryNotFound, repository.list_referrers, ABSENT)
        self.refusal(RepositoryNotFound, repository.open_manifest, "3.6")

    def test_answer_stays(self) -> None:
        """A manifest that is replaced while it is sent is sent completely."""
        content = self.find().open_manifest("3.6")
        path = self.tree.write(b"{}", NAME, "manifests", "new")
        os.rename(path, self.tree.path(NAME, "manifests", str(self.digest)))
        self.assertEqual(read(content), self.written)

    def test_many_requests(self) -> None:
        """Requests leave no file open."""
        before = open_files()
        for _ in range(50):
            self.find().open_manifest("3.6").close()
            self.find().list_tags()
            self.refusal(ContentNotFound, self.find().open_manifest, "no")
        self.assertEqual(open_files(), before)


class IndexTests(StoreTestCase):
    """Tests for indexes, and for manifests without a media type."""

    def test_sparse(self) -> None:
        """An index is served unchanged; for a missing child, the error names the platform."""
        here = self.tree.add_image(NAME)
        platforms = [("linux", "amd64"), ("linux", "arm64")]
        children = [
            descriptor(OCI_MANIFEST, child, 9, platform={"os": system, "architecture": machine})
            for child, (system, machine) in zip((here, ABSENT), platforms, strict=True)
        ]
        listed = self.tree.add_manifest(NAME, index(children), "3.6")
        content = self.find().open_manifest("3.6")
        self.assertEqual((content.digest, content.media_type), (listed, OCI_INDEX))
        content.close()
        self.find().open_manifest(here).close()
        error = self.refusal(ContentNotFound, self.find().open_manifest, ABSENT)
        self.assertEqual(error.platform, Platform("linux", "arm64"))
        self.assertEqual(
            str(error),
            f"manifest {ABSENT} for linux/arm64 is not in repository rancher/pause: "
            "the index names it, but that platform was not stored",
        )

    def test_media_type_from_index(self) -> None:
        """A manifest without a media type has the one that its index states."""
        image = self.tree.image()
        del image["mediaType"]
        child = self.tree.add_manifest(NAME, image, "plain")
        content = self.find().open_manifest("plain")
        content.close()
        self.assertEqual(content.media_type, OCI_MANIFEST)
        self.tree.add_manifest(NAME, index([descriptor(DOCKER_MANIFEST, child, 9)]))
        content = self.find().open_manifest(child)
        content.close()
        self.assertEqual(content.media_type, DOCKER_MANIFEST)
