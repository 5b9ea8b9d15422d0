"""Tests for ``minreg.store.repository``: manifests, blobs and referrers."""

import io
import json
import os

from zope.interface.verify import verifyObject

from minreg.oci.names import DOCKER_MANIFEST, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store import repository
from minreg.store.index import fallback_tag, referrers_index
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


class ReferrersTests(StoreTestCase):
    """Tests for ``TreeRepository.list_referrers`` and the fallback tag."""

    def setUp(self) -> None:
        """Add an image to the tree."""
        super().setUp()
        self.subject = self.tree.add_image(NAME, "3.6")
        self.tag = fallback_tag(self.subject)

    def fingerprint(self, kind: str = "a/b", subject: Digest | None = None) -> dict[str, object]:
        """Return a manifest that refers to the image."""
        refers = descriptor(OCI_MANIFEST, subject or self.subject, 1)
        return self.tree.image(b"signature", artifactType=kind, subject=refers)

    def listed(self) -> list[Digest]:
        """Return the image's referrers."""
        return [found.digest for found in self.find().list_referrers(self.subject)]

    def test_none(self) -> None:
        """A digest without referrers has an empty list, even if it does not exist."""
        self.assertEqual(self.listed(), [])
        self.assertEqual(self.find().list_referrers(ABSENT), [])

    def test_computed(self) -> None:
        """Referrers are found without a list, and returned in a stable order."""
        digests = [self.tree.add_manifest(NAME, self.fingerprint(f"a/{at}")) for at in range(4)]
        self.assertEqual(self.listed(), sorted(digests))
        self.assertEqual(self.find().list_referrers(ABSENT), [])

    def test_tagged(self) -> None:
        """A referrer that is stored only under its tag is listed."""
        written = json.dumps(self.fingerprint()).encode()
        self.tree.write(written, NAME, "manifests", f"{self.tag}.sig")
        self.assertEqual(self.listed(), [Digest.of(written)])

    def test_subject_is_not_here(self) -> None:
        """A referrer may be stored before its subject."""
        digest = self.tree.add_manifest(NAME, self.fingerprint(subject=ABSENT))
        self.assertEqual([found.digest for found in self.find().list_referrers(ABSENT)], [digest])

    def test_synthesised_fallback_tag(self) -> None:
        """Clients that only use the fallback tag get the same list, also by its digest."""
        self.tree.add_manifest(NAME, self.fingerprint())
        content = self.find().open_manifest(self.tag)
        self.assertEqual(content.media_type, OCI_INDEX)
        written = read(content)
        self.assertEqual(written, referrers_index(self.find().list_referrers(self.subject)))
        self.assertEqual(content.digest, Digest.of(written))
        again = self.find().open_manifest(content.digest)
        self.assertEqual((again.digest, read(again)), (content.digest, written))
        self.assertNotIn(self.tag, self.find().list_tags())

    def test_no_fallback_tag(self) -> None:
        """Without referrers, there is no fallback tag."""
        self.refusal(ContentNotFound, self.find().open_manifest, self.tag)

    def test_stored_fallback_tag(self) -> None:
        """A fallback tag that is stored is served unchanged."""
        stored = self.tree.add_manifest(NAME, index([]), self.tag)
        self.tree.add_manifest(NAME, self.fingerprint())
        content = self.find().open_manifest(self.tag)
        content.close()
        self.assertEqual(content.digest, stored)

    def test_merged(self) -> None:
        """Manifests that a stored fallback tag lists are added if they have the subject."""
        here = self.tree.add_manifest(NAME, self.fingerprint())
        misfiled = self.tree.add_blob(json.dumps(self.fingerprint("c/d")).encode())
        other = self.tree.add_blob(json.dumps(self.fingerprint("e/f", ABSENT)).encode())
        plain = self.tree.add_blob(b"no manifest")
        damaged = Digest.of(b"damaged")
        self.tree.write(json.dumps(self.fingerprint("g/h")).encode(), "blobs", str(damaged))
        listed = [here, misfiled, other, plain, damaged, ABSENT, self.subject]
        children = [descriptor(OCI_MANIFEST, digest, 1) for digest in listed]
        self.tree.add_manifest(NAME, index(children), self.tag)
        self.assertEqual(self.listed(), sorted([here, misfiled]))

    def test_misfiled_fallback_tag(self) -> None:
        """The list itself may be in ``blobs``, as the script stores it."""
        misfiled = self.tree.add_blob(json.dumps(self.fingerprint()).encode())
        listed = index([descriptor(OCI_MANIFEST, misfiled, 1)])
        del listed["mediaType"]
        self.tree.add_tag(NAME, self.tag, self.tree.add_blob(json.dumps(listed).encode()))
        self.assertEqual(self.listed(), [misfiled])

    def test_damaged_fallback_tag(self) -> None:
        """An invalid list hides none of the stored referrers."""
        here = self.tree.add_manifest(NAME, self.fingerprint())
        path = self.tree.write(b"no list", NAME, "manifests", self.tag)
        self.assertEqual(self.listed(), [here])
        os.unlink(path)
        os.mkfifo(path)
        self.assertEqual(self.listed(), [here])
        self.refusal(ContentInvalid, self.find().open_manifest, self.tag)

    def test_damaged_referrer(self) -> None:
        """An invalid manifest is not a referrer, and hides no other one."""
        here = self.tree.add_manifest(NAME, self.fingerprint())
        self.tree.write(b"{}", NAME, "manifests", str(ABSENT))
        self.tree.write(b"", NAME, "manifests", "empty")
        self.assertEqual(self.listed(), [here])
