"""Tests for ``minreg.store.index``: the directory of a repository, and its index."""

import json
import os
from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.manifests import Descriptor, parse_manifest
from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.cache import ManifestCache, ParsedManifest
from minreg.store.index import (
    RepositoryDirectory,
    RepositoryIndex,
    RepositoryIndexCache,
    build_index,
    describe,
    digest_in_name,
    fallback_tag,
    referrers_index,
    subject_of_fallback_tag,
)
from minreg.store.interfaces import ContentInvalid, ContentNotFound, StoreUnavailable
from minreg.store.rooted import RootedDirectory
from tests.store_support import ABSENT, StoreTestCase
from tests.trees import descriptor, index

CONFIG = Digest.of(b"config")
LAYER = Digest.of(b"layer")
SUBJECT = Digest.of(b"subject")


def document(content: Mapping[str, Any]) -> ParsedManifest:
    """Return a document as it is read from a file."""
    written = json.dumps(content).encode()
    return ParsedManifest(Digest.of(written), len(written), parse_manifest(written))


def image(size: int = 5, **more: object) -> ParsedManifest:
    """Return the manifest of an image that states a size for its layer."""
    return document(
        {
            "mediaType": OCI_MANIFEST,
            "config": descriptor(OCI_CONFIG, CONFIG, 6),
            "layers": [descriptor(OCI_LAYER, LAYER, size)],
            **more,
        }
    )


def signature(at: int) -> ParsedManifest:
    """Return one of several signatures of the subject."""
    return image(subject=descriptor(OCI_MANIFEST, SUBJECT, 7), annotations={"at": str(at)})


class BuildIndexTests(SynchronousTestCase):
    """Tests for ``build_index``."""

    def test_sizes(self) -> None:
        """The index has every size that a manifest states for a blob."""
        built = build_index([("a", image(5)), ("b", image(6)), ("c", image(5))])
        self.assertEqual(built.blob_sizes, {CONFIG: {6}, LAYER: {5, 6}})

    def test_index(self) -> None:
        """The media types and platforms that an image index states are kept."""
        platform = {"os": "linux", "architecture": "arm64"}
        listed = document(
            index(
                [
                    descriptor(OCI_MANIFEST, LAYER, 1, platform=platform),
                    descriptor(OCI_INDEX, CONFIG, 2),
                ]
            )
        )
        built = build_index([("manifests/a", listed)])
        self.assertEqual(built.media_types, {LAYER: OCI_MANIFEST, CONFIG: OCI_INDEX})
        self.assertEqual(built.platforms, {LAYER: Platform("linux", "arm64")})
        self.assertEqual(built.paths, {listed.digest: "manifests/a"})

    def test_referrers(self) -> None:
        """Each subject's referrers are listed once and in a stable order."""
        signatures = [signature(at) for at in range(5)]
        places = [(f"manifests/{at}", found) for at, found in enumerate(signatures + signatures)]
        built = build_index(reversed(places))
        ordered = sorted(signatures, key=lambda found: found.digest)
        self.assertEqual(built.referrers, {SUBJECT: tuple(describe(found) for found in ordered)})
        listed = Digest.of(referrers_index(built.referrers[SUBJECT]))
        self.assertEqual(built.referrers_indexes, {listed: SUBJECT})

    def test_weight(self) -> None:
        """The weight of an index is the number of its entries."""
        self.assertEqual(build_index([]).weight, 1)
        self.assertEqual(build_index([("a", image())]).weight, 4)


class DescribeTests(SynchronousTestCase):
    """Tests for ``describe`` and ``referrers_index``."""

    def test_artifact_type(self) -> None:
        """The type of a referrer is its artifact type, else its config's media type."""
        self.assertEqual(describe(image(artifactType="a/b")).artifact_type, "a/b")
        self.assertEqual(describe(image()).artifact_type, OCI_CONFIG)
        self.assertEqual(describe(document(index([]))).artifact_type, "")
        self.assertEqual(describe(document(index([], artifactType="a/b"))).artifact_type, "a/b")

    def test_descriptor(self) -> None:
        """A referrer is described with its media type, digest, size and annotations."""
        found = signature(3)
        self.assertEqual(
            describe(found),
            Descriptor(
                OCI_MANIFEST,
                found.digest,
                found.size,
                annotations={"at": "3"},
                artifact_type=OCI_CONFIG,
            ),
        )

    def test_index(self) -> None:
        """The list is an OCI index without empty fields."""
        bare = Descriptor(OCI_INDEX, LAYER, 7)
        full = Descriptor(OCI_MANIFEST, CONFIG, 8, None, {"a": "\u00e9"}, "a/b")
        self.assertEqual(
            json.loads(referrers_index([bare, full])),
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [
                    descriptor(OCI_INDEX, LAYER, 7),
                    descriptor(
                        OCI_MANIFEST, CONFIG, 8, artifactType="a/b", annotations={"a": "\u00e9"}
                    ),
                ],
            },
        )

    def test_empty_index(self) -> None:
        """Without referrers, the list is empty."""
        self.assertEqual(
            referrers_index([]),
            b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",'
            b'"manifests":[]}',
        )


class FallbackTagTests(SynchronousTestCase):
    """Tests for the fallback tag."""

    def test_tag(self) -> None:
        """The tag is the digest, cut to the length that a tag may have."""
        self.assertEqual(fallback_tag(SUBJECT), f"sha256-{SUBJECT.encoded}")
        long = Digest.of(b"", "sha512")
        self.assertEqual(fallback_tag(long), f"sha512-{long.encoded[:64]}")

    def test_subject(self) -> None:
        """The subject is found by the tag."""
        subjects = [LAYER, SUBJECT]
        self.assertEqual(subject_of_fallback_tag(fallback_tag(SUBJECT), subjects), SUBJECT)
        self.assertIsNone(subject_of_fallback_tag(fallback_tag(CONFIG), subjects))
        self.assertIsNone(subject_of_fallback_tag("latest", subjects))


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
