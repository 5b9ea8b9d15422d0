"""Tests for ``minreg.web.registry.content``: conditional requests and ranges."""

from minreg.oci.names import Digest
from tests.blobs import DIGEST, LAYER, TAG, BlobTestCase
from tests.stores import OneContentStore, OpenFile
from tests.support import Response, WebTestCase


class ConditionTests(BlobTestCase):
    """Tests for clients that already have the blob, or a part of it."""

    def test_not_modified(self) -> None:
        """A client that has the blob gets 304 without a body."""
        for offered in (TAG, f"W/{TAG}", "*", f'"other", {TAG}', f'"a" ,W/{TAG} , "b"'):
            for method in ("GET", "HEAD"):
                response = self.request(self.path, method, {"if-none-match": offered})
                self.assertEqual((response.code, response.body), (304, b""), offered)
                self.assertEqual(response.header("etag"), TAG)
                self.assertEqual(
                    response.header("cache-control"), "public, max-age=31536000, immutable"
                )
                self.assertEqual(response.header("docker-content-digest"), str(DIGEST))
                self.assertEqual(response.header("content-length"), "10")

    def test_not_modified_keeps_connection(self) -> None:
        """After a 304, the connection can be used again."""
        connection = self.connect()
        connection.request(self.path, headers={"if-none-match": TAG})
        self.assertEqual(connection.request(self.path).body, LAYER)

    def test_several_lines(self) -> None:
        """The entity tags may be in several header lines."""
        connection = self.connect()
        connection.send(
            f"GET {self.path} HTTP/1.1\r\nHost: a\r\nIf-None-Match: {TAG}\r\n".encode()
            + b'If-None-Match: "b"\r\n\r\n'
        )
        self.assertTrue(connection.received().startswith(b"HTTP/1.1 304 Not Modified\r\n"))

    def test_modified(self) -> None:
        """A client that has other content gets the blob."""
        for offered in ('"other"', str(DIGEST), "", f"w/{TAG}", "\xff", "**"):
            self.assertEqual(self.get(if_none_match=offered).code, 200, offered)

    def test_condition_before_range(self) -> None:
        """A client that has the whole blob gets 304 instead of a part."""
        self.assertEqual(self.get(if_none_match=TAG, range="bytes=0-1").code, 304)

    def test_dates(self) -> None:
        """Dates are ignored, because a file's time is not that of its content."""
        date = "Fri, 01 Jan 2038 00:00:00 GMT"
        self.assertEqual(self.get(if_modified_since=date).code, 200)

    def test_if_range(self) -> None:
        """A range is sent only for the blob that the client has a part of."""
        response = self.get(range="bytes=7-", if_range=TAG)
        self.assertEqual((response.code, response.body), (206, b"789"))
        for other in (f"W/{TAG}", '"other"', "Fri, 01 Jan 2038 00:00:00 GMT", "\xff", ""):
            response = self.get(range="bytes=7-", if_range=other)
            self.assertEqual((response.code, response.body), (200, LAYER), other)
            self.assertIsNone(response.header("content-range"))

    def test_if_range_unsatisfiable(self) -> None:
        """If the client has other content, even an unsatisfiable range is ignored."""
        self.assertEqual(self.get(range="bytes=70-", if_range='"other"').code, 200)


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


SMALL_LAYER = b"0123456789"
SMALL_DIGEST = Digest.of(SMALL_LAYER)


class SmallContentTests(WebTestCase):
    """Tests for content that is sent in one piece, from a faulty file."""

    def get(self, file: OpenFile, size: int, ranges: str = "") -> Response:
        """Request a blob that is stored in a given file."""
        self.site = self.make_site(OneContentStore(file, size))
        headers = {"range": ranges} if ranges else {}
        return self.request(f"/v2/a/blobs/{SMALL_DIGEST}", headers=headers)

    def test_cut_short(self) -> None:
        """A file that is truncated before it is read is an error, not a short body."""
        for ranges in ("", "bytes=8-11"):
            file = OpenFile(SMALL_LAYER)
            response = self.get(file, 12, ranges)
            self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))
            self.assertIn("truncated", response.json["errors"][0]["message"])
            self.assertIsNone(response.header("content-range"))
            self.assertTrue(file.closed)

    def test_disk_fails(self) -> None:
        """A failing disk is answered with 503, and not logged as an error in minreg."""
        file = OpenFile(SMALL_LAYER)
        file.fails_at = 0
        response = self.get(file, 10)
        self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))
        self.assertTrue(file.closed)

    def test_grows(self) -> None:
        """If a file has grown, the original size is sent."""
        self.assertEqual(self.get(OpenFile(SMALL_LAYER), 5).body, SMALL_LAYER[:5])

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
            file = OpenFile(SMALL_LAYER)
            self.site = self.make_site(OneContentStore(file, 10))
            response = self.request(f"/v2/a/blobs/{SMALL_DIGEST}", method, headers)
            self.assertEqual((response.code, file.closed), (code, True))
