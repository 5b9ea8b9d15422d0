"""Tests for ``minreg.web.transfer.ranges``, as clients see it."""

from tests.blobs import DIGEST, LAYER, TAG, BlobTestCase


class RangeTests(BlobTestCase):
    """Tests for ``Range``."""

    def test_one(self) -> None:
        """A client gets exactly the requested bytes."""
        for ranges, body, place in (
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=0-0", b"0", "bytes 0-0/10"),
            ("bytes=2-4", b"234", "bytes 2-4/10"),
            ("bytes=-3", b"789", "bytes 7-9/10"),
            ("bytes=-1000", LAYER, "bytes 0-9/10"),
            ("bytes=8-1000", b"89", "bytes 8-9/10"),
            ("bytes=0-", LAYER, "bytes 0-9/10"),
            ("BYTES=1-1", b"1", "bytes 1-1/10"),
            ("bytes= 1-1 ,", b"1", "bytes 1-1/10"),
            ("bytes=1-1,70-80", b"1", "bytes 1-1/10"),
        ):
            response = self.get(range=ranges)
            self.assertEqual((response.code, response.body), (206, body), ranges)
            self.assertEqual(response.header("content-range"), place)
            self.assertEqual(response.header("content-length"), str(len(body)))
            self.assertEqual(response.header("content-type"), "application/octet-stream")
            self.assertEqual(response.header("docker-content-digest"), str(DIGEST))
            self.assertEqual(response.header("etag"), TAG)

    def test_several(self) -> None:
        """Several ranges are sent as parts, each with its position."""
        response = self.get(range="bytes=0-1, -2,4-4")
        self.assertEqual(response.code, 206)
        self.assertRegex(
            response.headers["content-type"], r"\Amultipart/byteranges; boundary=[0-9a-f]{32}\Z"
        )
        self.assertEqual(response.header("content-length"), str(len(response.body)))
        self.assertIsNone(response.header("content-range"))
        self.assertEqual(
            response.parts(),
            [("bytes 0-1/10", b"01"), ("bytes 8-9/10", b"89"), ("bytes 4-4/10", b"4")],
        )
        self.assertEqual(response.body.count(b"\r\nContent-Type: application/octet-stream\r\n"), 3)

    def test_unsatisfiable(self) -> None:
        """A range without a byte of the blob is a 416, which has the size."""
        for ranges in ("bytes=10-", "bytes=10-20", "bytes=-0", "bytes=5-4", "bytes=70-80,90-"):
            response = self.get(range=ranges)
            self.assertEqual((response.code, response.error_code), (416, "RANGE_INVALID"), ranges)
            self.assertEqual(response.header("content-range"), "bytes */10")
            self.assertEqual(response.header("content-type"), "application/json")
            self.assertEqual(response.json["errors"][0]["detail"], {"size": 10})
            for name in ("etag", "cache-control", "docker-content-digest", "accept-ranges"):
                self.assertIsNone(response.header(name))

    def test_ignored(self) -> None:
        """A range that is malformed, or larger than the blob, is ignored."""
        for ranges in (
            "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=1-2-3", "lines=1-2",
            "bytes=0x1-2", "bytes=+1-2", "bytes=--1", "bytes 1-2", "bytes=1-2;3-4", "\xff",
            "bytes=\xb2-", "bytes=1-99999999999999999999999", "bytes=,", "bytes=1-2,x",
            "bytes=" + ",".join(["0-0"] * 101), "bytes=0-9,0-9", "bytes=0-,0-,0-", "bytes=1 - 2",
        ):  # fmt: skip
            response = self.get(range=ranges)
            self.assertEqual((response.code, response.body), (200, LAYER), ranges)
            self.assertIsNone(response.header("content-range"))

    def test_head(self) -> None:
        """A range is ignored for HEAD."""
        for ranges in ("bytes=7-", "bytes=70-"):
            response = self.request(self.path, "HEAD", {"range": ranges})
            self.assertEqual((response.code, response.body), (200, b""))
            self.assertEqual(response.header("content-length"), "10")
            self.assertIsNone(response.header("content-range"))

    def test_manifest(self) -> None:
        """Ranges apply to manifests as well."""
        response = self.request("/v2/rancher/pause/manifests/3.6", headers={"range": "bytes=0-0"})
        self.assertEqual((response.code, response.body), (206, b"{"))
