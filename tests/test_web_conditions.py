"""Tests for ``minreg.web.registry.content``: conditional requests."""

from tests.blobs import DIGEST, LAYER, TAG, BlobTestCase


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
