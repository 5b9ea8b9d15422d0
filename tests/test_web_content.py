"""Tests for ``minreg.web.registry.content``: small content."""

from minreg.oci.names import Digest
from tests.stores import OneContentStore, OpenFile
from tests.support import Response, WebTestCase

LAYER = b"0123456789"
DIGEST = Digest.of(LAYER)


class SmallContentTests(WebTestCase):
    """Tests for content that is sent in one piece, from a faulty file."""

    def get(self, file: OpenFile, size: int, ranges: str = "") -> Response:
        """Request a blob that is stored in a given file."""
        self.site = self.make_site(OneContentStore(file, size))
        headers = {"range": ranges} if ranges else {}
        return self.request(f"/v2/a/blobs/{DIGEST}", headers=headers)

    def test_cut_short(self) -> None:
        """A file that is truncated before it is read is an error, not a short body."""
        for ranges in ("", "bytes=8-11"):
            file = OpenFile(LAYER)
            response = self.get(file, 12, ranges)
            self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))
            self.assertIn("truncated", response.json["errors"][0]["message"])
            self.assertIsNone(response.header("content-range"))
            self.assertTrue(file.closed)

    def test_disk_fails(self) -> None:
        """A failing disk is answered with 503, and not logged as an error in minreg."""
        file = OpenFile(LAYER)
        file.fails_at = 0
        response = self.get(file, 10)
        self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))
        self.assertTrue(file.closed)

    def test_grows(self) -> None:
        """If a file has grown, the original size is sent."""
        self.assertEqual(self.get(OpenFile(LAYER), 5).body, LAYER[:5])

    def test_closed(self) -> None:
        """The file is closed after every response."""
        for method, headers, code in (
            ("GET", {}, 200),
            ("HEAD", {}, 200),
            ("GET", {"if-none-match": "*"}, 304),
            ("GET", {"range": "bytes=0-1"}, 206),
            ("GET", {"range": "bytes=0-1,3-4"}, 206),
            ("GET", {"range": "bytes=10-"}, 416),
        ):
            file = OpenFile(LAYER)
            self.site = self.make_site(OneContentStore(file, 10))
            response = self.request(f"/v2/a/blobs/{DIGEST}", method, headers)
            self.assertEqual((response.code, file.closed), (code, True))
