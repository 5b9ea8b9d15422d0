"""Tests for ``minreg.store.dates``."""

import json
import os
from io import BytesIO

from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.names import OCI_CONFIG, OCI_MANIFEST
from minreg.store.dates import ImageDate, find_date, read_created
from minreg.store.images import inspect_image
from tests.store_support import StoreTestCase
from tests.trees import descriptor, index


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
