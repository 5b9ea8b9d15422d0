"""Tests for ``minreg.store.images``, ``dates`` and ``summary``."""

import json
import os
from io import BytesIO

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from minreg.cli import cli
from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, Digest
from minreg.oci.platforms import Platform
from minreg.store.dates import ImageDate, find_date, read_created
from minreg.store.images import LARGEST_CONFIG, inspect_image
from minreg.store.tree import RegistryTree
from tests.store_support import ABSENT, StoreTestCase
from tests.support import WebTestCase
from tests.trees import descriptor, index

LAYER = b"not distributed"
NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"


class MalformedTests(StoreTestCase):
    """Tests for images with malformed descriptors."""

    def test_part_of_a_manifest(self) -> None:
        """A manifest with a malformed layer is a problem, and makes the image unreadable."""
        digest = self.tree.add_manifest("a", self.tree.image(layers=[{"size": 1}]), "1")
        image = inspect_image(self.find("a"), "1")
        self.assertEqual(
            image.problems, (f"manifest {digest} is malformed: layers[0] has no media type",)
        )
        self.assertFalse(image.is_readable)

    def test_verify(self) -> None:
        """``minreg verify`` reports it."""
        self.tree.add_manifest("a", self.tree.image(layers=[{"size": 1}]), "1")
        done = CliRunner().invoke(cli, ["verify", "-d", self.root])
        self.assertEqual(done.exit_code, 1)
        self.assertIn("is malformed: layers[0] has no media type", done.output)


class InspectionTests(StoreTestCase):
    """Tests for ``inspect_image``."""

    def test_listed_twice(self) -> None:
        """A manifest that an index lists twice is inspected once."""
        child = descriptor(OCI_MANIFEST, self.tree.add_image("a"), 1)
        self.tree.add_manifest("a", index([child, child]), "1")
        image = inspect_image(self.find("a"), "1")
        self.assertEqual((len(image.manifests), image.problems), (2, ()))

    def test_deep_indexes(self) -> None:
        """Indexes are followed to a depth that no client reaches; then they are a problem."""
        digest = self.tree.add_image("a")
        for depth in range(40):
            child = descriptor(OCI_INDEX, digest, 1)
            digest = self.tree.add_manifest("a", index([child]), f"depth{depth}")
        self.assertEqual(inspect_image(self.find("a"), "depth20").problems, ())
        image = inspect_image(self.find("a"), "depth39")
        self.assertFalse(image.is_readable)
        self.assertIn("more than any client follows", image.problems[0])

    def test_missing_config(self) -> None:
        """An image whose config is missing has no platform, and the config is a problem."""
        config = descriptor(OCI_CONFIG, ABSENT, 10)
        self.tree.add_manifest("a", self.tree.image(config=config), "1")
        image = inspect_image(self.find("a"), "1")
        self.assertEqual(image.present, ())
        self.assertEqual(image.problems, (f"config {ABSENT} is missing",))

    def test_large_config(self) -> None:
        """A config that is too large is not read for its platform."""
        config = descriptor(OCI_CONFIG, Digest.of(b"config"), LARGEST_CONFIG + 1)
        self.tree.add_manifest("a", self.tree.image(config=config), "1")
        image = inspect_image(self.find("a"), "1")
        self.assertEqual(image.present, ())
        summary = self.find("a").summarize()
        self.assertEqual((summary.platforms, summary.missing), ((), 1))


class NondistributableTests(StoreTestCase):
    """Tests for layers that registries need not have, in images of an index."""

    def add_index(self) -> None:
        """Add an index of an image whose layer is not distributable."""
        layer = descriptor(NONDISTRIBUTABLE, Digest.of(LAYER), len(LAYER))
        image = self.tree.add_manifest("a", self.tree.image(layers=[layer]))
        self.tree.add_manifest("a", index([descriptor(OCI_MANIFEST, image, 1)]), "1")

    def test_stored(self) -> None:
        """A layer that is stored all the same makes the image complete."""
        self.tree.add_blob(LAYER)
        self.add_index()
        self.assertEqual(inspect_image(self.find("a"), "1").problems, ())
        self.assertTrue(self.find("a").summarize().is_complete)

    def test_invalid(self) -> None:
        """A layer that exists, and cannot be served, is a problem."""
        os.makedirs(self.tree.path("blobs", str(Digest.of(LAYER))))
        self.add_index()
        [problem] = inspect_image(self.find("a"), "1").problems
        self.assertIn("is not a file: remove it", problem)
        self.assertEqual(self.find("a").summarize().missing, 1)


class ReadCreatedTests(SynchronousTestCase):
    """Tests for ``read_created``."""

    def test_dates(self) -> None:
        """A date is read with or without a fraction and in any time zone."""
        for text in (
            "2024-10-08T12:00:00Z",
            "2024-10-08T12:00:00.000000000Z",
            "2024-10-08T14:00:00+02:00",
            "2024-10-08T12:00:00",
        ):
            config = json.dumps({"created": text}).encode()
            self.assertEqual(read_created(BytesIO(config)), 1728388800.0, text)

    def test_none(self) -> None:
        """Text that is not a date, or a date that cannot be right, is ignored."""
        for config in (
            b"",
            b"{}",
            b"[]",
            b"null",
            b"[" * 100_000,
            b'{"created": null}',
            b'{"created": 1}',
            b'{"created": ["2024-10-08"]}',
            b'{"created": "yesterday"}',
            b'{"created": "1970-01-01T00:00:00Z"}',
            b'{"created": "0001-01-01T00:00:00Z"}',
            b'{"created": "0001-01-01T00:00:00+23:59"}',
            b'{"created": "9999-99-99T00:00:00Z"}',
            b'{"created": "%s"}' % (b"2" * 10_000),
        ):
            self.assertIsNone(read_created(BytesIO(config)), config[:60])


class FindDateTests(StoreTestCase):
    """Tests for ``find_date``."""

    def find_date(self, reference: str = "1") -> ImageDate | None:
        """Return the date of an image."""
        repository = self.find("a")
        return find_date(repository, inspect_image(repository, reference))

    def add_dated(self, **more: str) -> dict[str, object]:
        """Return the manifest of an image whose config states a date."""
        config = json.dumps({"os": "linux", "architecture": "amd64", **more}).encode()
        digest = self.tree.add_blob(config)
        return self.tree.image(config=descriptor(OCI_CONFIG, digest, len(config)))

    def test_stated(self) -> None:
        """The config of an image, or of an index's first platform, states the date."""
        image = self.tree.add_manifest("a", self.add_dated(created="2024-10-08T12:00:00Z"), "1")
        amd64 = {"os": "linux", "architecture": "amd64"}
        child = descriptor(OCI_MANIFEST, image, 1, platform=amd64)
        self.tree.add_manifest("a", index([child]), "2")
        for tag in ("1", "2"):
            self.assertEqual(self.find_date(tag), ImageDate(1728388800.0, is_stated=True))

    def test_file(self) -> None:
        """Without it, the date is that of the manifest's file."""
        digest = self.tree.add_manifest("a", self.add_dated(), "1")
        os.utime(self.tree.path("a", "manifests", str(digest)), (77, 77))
        self.assertEqual(self.find_date(), ImageDate(77.0, is_stated=False))

    def test_none(self) -> None:
        """An image that cannot be read has no date."""
        self.tree.write(b"no JSON", "a", "manifests", "1")
        self.assertIsNone(self.find_date())


CONFIG = b'{"architecture": "amd64", "os": "linux"}'


class SummaryTests(WebTestCase):
    """Tests for ``TreeRepository.summarize``."""

    def setUp(self) -> None:
        """Create a store for the tree."""
        super().setUp()
        self.store = RegistryTree(self.root)

    def test_image(self) -> None:
        """A summary has tags, platforms, size, and the time of the last change."""
        digest = self.tree.add_image("a/b", "1", b"layer")
        os.utime(self.tree.path("a/b", "manifests"), (7, 7))
        found = self.store.find_repository(None, "a/b").summarize()
        document = os.path.getsize(self.tree.path("a/b", "manifests", str(digest)))
        self.assertEqual(found.tags, ("1",))
        self.assertEqual(found.platforms, (Platform("linux", "amd64"),))
        self.assertEqual(found.size, document + len(CONFIG) + 5)
        self.assertEqual((found.missing, found.changed), (0, 7.0))

    def test_platforms_of_an_index(self) -> None:
        """Only the platforms of stored images are listed, without attestations."""
        here = self.tree.add_image("a")
        statement = self.tree.add_image("a", layer=b"attested")
        unknown = {"os": "unknown", "architecture": "unknown"}
        children = [
            descriptor(OCI_MANIFEST, here, 1, platform={"os": "linux", "architecture": "s390x"}),
            descriptor(OCI_MANIFEST, statement, 1, platform=unknown),
            descriptor(
                OCI_MANIFEST,
                Digest.of(b"absent"),
                1,
                platform={"os": "linux", "architecture": "arm64"},
            ),
        ]
        self.tree.add_manifest("a", index(children), "1")
        found = self.store.find_repository(None, "a").summarize()
        self.assertEqual(found.platforms, (Platform("linux", "s390x"),))

    def test_missing(self) -> None:
        """Blobs that are missing or truncated are counted."""
        self.tree.add_image("a", "1", b"first")
        self.tree.add_image("a", "2", b"second")
        os.unlink(self.tree.path("blobs", str(Digest.of(b"first"))))
        os.truncate(self.tree.path("blobs", str(Digest.of(b"second"))), 1)
        found = self.store.find_repository(None, "a").summarize()
        self.assertEqual(found.missing, 2)

    def test_blob_leads_out(self) -> None:
        """A blob that must not be read counts as missing."""
        self.tree.add_image("a", "1", b"first")
        blob = self.tree.path("blobs", str(Digest.of(b"first")))
        os.unlink(blob)
        os.symlink("/etc/passwd", blob)
        self.assertEqual(self.store.find_repository(None, "a").summarize().missing, 1)

    def test_odd_configs(self) -> None:
        """A missing config, or one without a platform, adds no platform."""
        self.tree.add_image("a", "1")
        for content in (b"[]", b"{", b'{"os": 1}', b"[" * 100_000):
            self.tree.write(content, "blobs", str(Digest.of(CONFIG)))
            self.assertEqual(self.store.find_repository(None, "a").summarize().platforms, ())
        os.unlink(self.tree.path("blobs", str(Digest.of(CONFIG))))
        self.assertEqual(self.store.find_repository(None, "a").summarize().platforms, ())

    def test_referrers_are_no_images(self) -> None:
        """A signature has no platform."""
        subject = self.tree.add_image("a", "1")
        self.tree.add_manifest(
            "a", self.tree.image(b"signature", subject=descriptor(OCI_MANIFEST, subject, 1))
        )
        found = self.store.find_repository(None, "a").summarize()
        self.assertEqual(found.platforms, (Platform("linux", "amd64"),))

    def test_images(self) -> None:
        """An index is one image, whatever tags it has; a signature is none."""
        child = self.tree.add_image("a")
        multi = self.tree.add_manifest("a", index([descriptor(OCI_MANIFEST, child, 1)]), "1")
        self.tree.add_tag("a", "latest", multi)
        self.tree.add_image("a", layer=b"without a tag")
        self.tree.add_manifest(
            "a", self.tree.image(b"signature", subject=descriptor(OCI_MANIFEST, multi, 1))
        )
        found = self.store.find_repository(None, "a").summarize()
        self.assertEqual((found.images, found.broken), (2, 0))
        self.assertTrue(found.is_complete)

    def test_broken(self) -> None:
        """Invalid manifests, broken tags and indexes without a stored platform are counted."""
        self.tree.add_image("a", "1")
        absent = descriptor(OCI_MANIFEST, Digest.of(b"absent"), 1)
        for number, break_it in enumerate(
            (
                lambda: self.tree.write(b"{}", "a", "manifests", str(Digest.of(b"other"))),
                lambda: self.tree.add_tag("a", "other", Digest.of(b"other")),
                lambda: self.tree.add_tag("a", "lost", Digest.of(b"lost")),
                lambda: self.tree.write(b"no JSON", "a", "manifests", "2"),
                lambda: self.tree.add_manifest("a", index([absent]), "3"),
                lambda: self.tree.add_manifest("a", self.tree.image(layers=["odd"]), "4"),
            )
        ):
            break_it()
            found = self.store.find_repository(None, "a").summarize()
            # The second tag leads to the file that is counted already.
            self.assertEqual(found.broken, max(number, 1), number)
            self.assertFalse(found.is_complete)
