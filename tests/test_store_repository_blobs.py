"""Tests for ``minreg.store.repository``: blobs."""

import io
import json
import os

from minreg.oci.names import OCI_LAYER, OCI_MANIFEST, Digest
from minreg.store import repository
from minreg.store.interfaces import ContentInvalid, ContentNotFound
from tests.store_support import ABSENT, StoreTestCase, read
from tests.trees import descriptor, index

NAME = "rancher/pause"
LAYER = Digest.of(b"layer")


class FailingFile(io.BytesIO):
    """A file that cannot be read."""

    def read(self, _size: int | None = -1, /) -> bytes:
        """Raise an error."""
        raise OSError(5, "Input/output error")


class BlobTests(StoreTestCase):
    """Tests for ``TreeRepository.open_blob``."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.digest = self.tree.add_image(NAME, "3.6")

    def test_blob(self) -> None:
        """The content has the blob's bytes, digest and size, and no specific media type."""
        content = self.find().open_blob(LAYER)
        self.assertEqual(content.media_type, "application/octet-stream")
        self.assertEqual((content.digest, content.size), (LAYER, 5))
        self.assertEqual(read(content), b"layer")

    def test_sha512(self) -> None:
        """A blob may be stored under its SHA-512 digest."""
        digest = Digest.of(b"layer", "sha512")
        self.tree.write(b"layer", "blobs", str(digest))
        self.assertEqual(self.blob(digest), b"layer")

    def test_not_in_a_manifest(self) -> None:
        """A blob that no manifest names is served."""
        self.assertEqual(self.blob(self.tree.add_blob(b"anything")), b"anything")

    def test_unknown(self) -> None:
        """A missing blob is not found."""
        error = self.refusal(ContentNotFound, self.find().open_blob, ABSENT)
        self.assertEqual(str(error), f"blob {ABSENT} is not in this repository")

    def test_known(self) -> None:
        """A blob of a known size is opened without building the repository's index."""
        scanned = self.count("scandir")
        with self.find().open_known_blob(LAYER) as file:
            self.assertEqual(file.read(), b"layer")
        self.assertEqual(scanned, [])
        self.refusal(ContentNotFound, self.find().open_known_blob, ABSENT)

    def test_manifest_is_no_blob(self) -> None:
        """A manifest is never served as a blob, because containerd would store it as one."""
        error = self.refusal(ContentNotFound, self.find().open_blob, self.digest)
        self.assertEqual(str(error), f"{self.digest} is a manifest, not a blob")

    def test_manifest_among_blobs(self) -> None:
        """The same holds for a manifest that is stored in ``blobs``."""
        misfiled = self.tree.add_blob(json.dumps(self.tree.image(b"other")).encode())
        error = self.refusal(ContentNotFound, self.find().open_blob, misfiled)
        self.assertEqual(str(error), f"{misfiled} is a manifest, not a blob")

    def test_fails_when_loaded(self) -> None:
        """A small blob that cannot be loaded is returned as a file: sending it shows the error."""
        size = len(b"layer")
        for file in (FailingFile(), io.BytesIO(b"lay")):
            self.assertIs(repository.load_small(file, size), file)
            self.assertFalse(file.closed)

    def test_truncated(self) -> None:
        """A truncated blob is not served: a client would not try another endpoint any more."""
        for content in (b"laye", b"layers"):
            self.tree.write(content, "blobs", str(LAYER))
            error = self.refusal(ContentInvalid, self.find().open_blob, LAYER)
            self.assertEqual(
                str(error),
                f"{self.root}/blobs/{LAYER} has {len(content)} bytes, but manifests of "
                "rancher/pause say 5: copy it again",
            )

    def test_manifests_disagree(self) -> None:
        """If manifests state several sizes, a blob of any of these sizes is served."""
        image = {**self.tree.image(), "layers": [descriptor(OCI_LAYER, LAYER, 7)]}
        self.tree.add_manifest(NAME, image)
        self.assertEqual(self.blob(LAYER), b"layer")
        self.tree.write(b"layer..", "blobs", str(LAYER))
        self.assertEqual(self.blob(LAYER), b"layer..")
        self.tree.write(b"layer.", "blobs", str(LAYER))
        error = self.refusal(ContentInvalid, self.find().open_blob, LAYER)
        self.assertIn("has 6 bytes, but manifests of rancher/pause say 5 or 7", str(error))

    def test_other_repositories(self) -> None:
        """Manifests of another repository do not matter."""
        self.tree.add_manifest("other", {**self.tree.image(), "layers": []})
        self.tree.write(b"layers", "blobs", str(LAYER))
        self.refusal(ContentInvalid, self.find().open_blob, LAYER)
        self.assertEqual(self.blob(LAYER, "other"), b"layers")

    def test_truncated_layer_of_misfiled_image(self) -> None:
        """The size is also checked if the script stored the manifest in ``blobs``."""
        layer = self.tree.add_blob(b"another")
        image = self.tree.image(b"another")
        del image["mediaType"]
        misfiled = self.tree.add_blob(json.dumps(image).encode())
        for way in ("tag", "index"):
            self.tree.add_repository(way)
            if way == "tag":
                self.tree.add_tag(way, "1", misfiled)
            else:
                self.tree.add_manifest(way, index([descriptor(OCI_MANIFEST, misfiled, 9)]))
            self.tree.write(b"another", "blobs", str(layer))
            self.assertEqual(self.blob(layer, way), b"another")
            self.tree.write(b"anoth", "blobs", str(layer))
            self.refusal(ContentInvalid, self.find(way).open_blob, layer)

    def test_unfit_files(self) -> None:
        """An empty or special file, a broken link or a cycle of links is never a blob."""
        path = self.tree.path("blobs", str(LAYER))
        for make, expected in (
            (lambda: os.mkfifo(path), ContentInvalid),
            (lambda: os.makedirs(path), ContentInvalid),
            (lambda: self.tree.write(b"", "blobs", str(LAYER)), ContentInvalid),
            (lambda: os.symlink(path, path), ContentInvalid),
            (lambda: os.symlink("/etc/passwd", path), ContentInvalid),
            (lambda: os.symlink("nowhere", path), ContentNotFound),
        ):
            os.rename(path, self.mktemp())
            make()
            self.refusal(expected, self.find().open_blob, LAYER)

    def test_answer_stays(self) -> None:
        """A blob that is replaced or removed while it is sent is sent completely."""
        content = self.find().open_blob(LAYER)
        os.unlink(self.tree.path("blobs", str(LAYER)))
        self.assertEqual(read(content), b"layer")
        self.refusal(ContentNotFound, self.find().open_blob, LAYER)
