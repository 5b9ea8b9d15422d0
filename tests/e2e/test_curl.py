"""Tests with curl: ranges, and conditional requests."""

import json
import os
import random
from email.message import Message
from email.parser import BytesParser

from tests.e2e.images import digest_of
from tests.e2e.programs import run
from tests.e2e.support import EndToEndTestCase

BLOB = random.Random(0).randbytes(1_000_000)  # noqa: S311 - any bytes do
DIGEST = digest_of(BLOB)


class CurlTests(EndToEndTestCase):
    """Tests for a blob of a million bytes."""

    def setUp(self) -> None:
        """Serve the blob."""
        self.need_programs("curl")
        root = self.make_directory()
        os.makedirs(os.path.join(root, "rancher", "sample", "manifests"))
        blobs = os.path.join(root, "rancher", "sample", "blobs")
        os.makedirs(blobs)
        with open(os.path.join(blobs, DIGEST), "wb") as file:
            file.write(BLOB)
        self.daemon = self.start_daemon(root)
        self.body = os.path.join(self.make_directory(), "body")
        self.url = f"http://{self.daemon.registry}/v2/rancher/sample/blobs/{DIGEST}"

    def curl(self, *options: str) -> tuple[int, Message]:
        """Request the blob; return status and headers, and write the body to its file."""
        headers = f"{self.body}.headers"
        run("curl", "-sS", "--noproxy", "*", "-D", headers, "-o", self.body, *options, self.url)
        with open(headers, "rb") as file:
            _, status, _ = file.readline().split(b" ", 2)
            return int(status), BytesParser().parse(file, headersonly=True)

    def fetched(self) -> bytes:
        """Return the body that curl received."""
        with open(self.body, "rb") as file:
            return file.read()

    def test_whole(self) -> None:
        """The whole blob is sent with its length, and without compression."""
        status, headers = self.curl("--compressed")
        self.assertEqual((status, self.fetched()), (200, BLOB))
        self.assertEqual(headers["Content-Length"], "1000000")
        self.assertEqual(headers["Content-Type"], "application/octet-stream")
        self.assertEqual(headers["Docker-Content-Digest"], DIGEST)
        self.assertEqual(headers["Accept-Ranges"], "bytes")
        self.assertNotIn("Content-Encoding", headers)
        self.assertNotIn("Transfer-Encoding", headers)

    def test_head(self) -> None:
        """HEAD has only the headers."""
        status, headers = self.curl("--head")
        self.assertEqual((status, headers["Content-Length"]), (200, "1000000"))
        self.assertEqual(headers["Docker-Content-Digest"], DIGEST)

    def test_range(self) -> None:
        """A range in the middle."""
        status, headers = self.curl("--range", "1000-1999")
        self.assertEqual((status, self.fetched()), (206, BLOB[1000:2000]))
        self.assertEqual(headers["Content-Range"], "bytes 1000-1999/1000000")
        self.assertEqual(headers["Content-Length"], "1000")

    def test_suffix(self) -> None:
        """The last bytes."""
        status, headers = self.curl("--range", "-10")
        self.assertEqual((status, self.fetched()), (206, BLOB[-10:]))
        self.assertEqual(headers["Content-Range"], "bytes 999990-999999/1000000")

    def test_several_ranges(self) -> None:
        """Several ranges, each with its position."""
        status, headers = self.curl("--range", "0-9,500000-500009")
        self.assertEqual(status, 206)
        kind = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser().parsebytes(kind + self.fetched()).walk()
        self.assertEqual(headers.get_content_type(), "multipart/byteranges")
        self.assertEqual(
            [
                (part["Content-Range"], part.get_payload(decode=True))
                for part in parts
                if not part.is_multipart()
            ],
            [
                ("bytes 0-9/1000000", BLOB[:10]),
                ("bytes 500000-500009/1000000", BLOB[500000:500010]),
            ],
        )

    def test_resume(self) -> None:
        """An interrupted download is resumed."""
        with open(self.body, "wb") as file:
            file.write(BLOB[:300_000])
        self.curl("--continue-at", "-")
        self.assertEqual(self.fetched(), BLOB)
        self.daemon.stop()
        (request,) = self.daemon.requests()
        self.assertEqual(request.status, 206)

    def test_beyond_the_end(self) -> None:
        """A range outside of the blob is refused, with the size."""
        status, headers = self.curl("--range", "1000000-")
        self.assertEqual((status, headers["Content-Range"]), (416, "bytes */1000000"))

    def test_unchanged(self) -> None:
        """A client that has the blob gets 304."""
        status, headers = self.curl("--header", f'If-None-Match: "{DIGEST}"')
        self.assertEqual((status, headers["ETag"]), (304, f'"{DIGEST}"'))
        self.assertFalse(os.path.exists(self.body) and self.fetched())

    def test_delete(self) -> None:
        """Nothing can be deleted."""
        status, headers = self.curl("--request", "DELETE")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD"))
        (error,) = json.loads(self.fetched())["errors"]
        self.assertEqual(error["code"], "UNSUPPORTED")
