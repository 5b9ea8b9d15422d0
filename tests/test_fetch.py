"""Tests for ``minreg.fill.fetch``."""

import os
import re
from collections.abc import Iterator

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.errors import ContentMismatch, Stopped, UpstreamRefused, UpstreamUnavailable
from minreg.fill.fetch import BlobFetch, FetchedBlob
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.retries import Retries
from minreg.oci.manifests import Descriptor
from minreg.oci.names import OCI_LAYER, Digest
from tests.canned import Canned, CannedTransport, MemoryRegistry, make_upstream, quick_retries
from tests.memory_network import Coming, MemoryTransport, http_answer

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
PATH = f"/v2/a/blobs/{DIGEST}"
BLOB = Descriptor(OCI_LAYER, DIGEST, len(CONTENT))


class BlobFetchTests(SynchronousTestCase):
    """Tests for ``BlobFetch``."""

    def setUp(self) -> None:
        """Have a blob upstream, and an empty tree."""
        self.registry = MemoryRegistry()
        self.registry.add_blob("a", OCI_LAYER, CONTENT)
        self.transport = CannedTransport(self.registry)
        self.root = os.path.abspath(self.mktemp())
        self.tree = TreeWriter(self.root, "a test").__enter__()
        self.addCleanup(self.tree.__exit__, None, None, None)
        self.offsets: list[int] = []

    def fetch(self, *faults: Canned, retries: Retries | None = None) -> FetchedBlob:
        """Download the blob, after some faulty responses."""
        self.registry.faults[PATH] = list(faults)
        fetch = BlobFetch(
            make_upstream(self.transport),
            "a",
            BLOB,
            retries or quick_retries(),
            self.offsets.append,
        )
        return fetch.run(self.tree)

    def check_stored(self) -> None:
        """Check that the tree has the right bytes, and no partial blob."""
        with open(os.path.join(self.root, "blobs", str(DIGEST)), "rb") as file:
            self.assertEqual(file.read(), CONTENT)
        self.assertEqual(os.listdir(os.path.join(self.root, ".minreg", "partial")), [])

    def check_not_stored(self) -> None:
        """Check that the tree does not have the blob."""
        self.assertEqual(os.listdir(os.path.join(self.root, "blobs")), [])

    def ranges(self) -> list[str | None]:
        """Return the Range headers of all requests."""
        return [request.headers.get("Range") for request in self.transport.sent]

    def leave_partial(self, content: bytes) -> None:
        """Store the bytes that an earlier run received."""
        with self.tree.open_partial(DIGEST) as partial:
            partial.write(content)

    def test_whole(self) -> None:
        """A blob is downloaded and stored."""
        self.assertEqual(self.fetch(), FetchedBlob(10, 0))
        self.assertEqual(self.offsets, [10])
        self.check_stored()

    def test_resume(self) -> None:
        """Bytes that an earlier run received are not requested again."""
        self.leave_partial(CONTENT[:4])
        self.assertEqual(self.fetch(), FetchedBlob(6, 4))
        self.assertEqual(self.ranges(), ["bytes=4-"])
        self.check_stored()

    def test_all_of_it_was_here(self) -> None:
        """If an earlier run received all bytes, nothing is requested."""
        self.leave_partial(CONTENT)
        self.assertEqual(self.fetch(), FetchedBlob(0, 10))
        self.assertEqual(self.ranges(), [])
        self.check_stored()

    def test_wrong_beginning(self) -> None:
        """If the earlier bytes are wrong, all are downloaded again."""
        self.leave_partial(b"xxxx")
        self.assertEqual(self.fetch(), FetchedBlob(16, 0))
        self.assertEqual(self.ranges(), ["bytes=4-", None])
        self.check_stored()

    def test_beginning_too_long(self) -> None:
        """A partial blob that is longer than the blob is dropped."""
        self.leave_partial(b"x" * 11)
        self.assertEqual(self.fetch(), FetchedBlob(10, 0))
        self.check_stored()

    def test_range_ignored(self) -> None:
        """If the registry ignores Range, the whole body is used."""
        self.leave_partial(CONTENT[:4])
        self.assertEqual(self.fetch(Canned(200, CONTENT)), FetchedBlob(10, 0))
        self.check_stored()

    def test_wrong_range(self) -> None:
        """A range other than the requested one is not used."""
        self.leave_partial(CONTENT[:4])
        wrong = Canned(206, CONTENT[5:], {"Content-Range": "bytes 5-9/10"})
        self.fetch(wrong)
        self.check_stored()

    def test_range_refused(self) -> None:
        """After status 416 the whole blob is requested."""
        self.leave_partial(CONTENT[:4])
        self.fetch(Canned(416))
        self.assertEqual(self.ranges(), ["bytes=4-", None])
        self.check_stored()

    def test_broken_off(self) -> None:
        """After a broken connection the rest is requested."""
        cut = Canned(200, CONTENT[:4], {"Content-Length": "10"})
        self.assertEqual(self.fetch(cut), FetchedBlob(10, 0))
        self.assertEqual(self.ranges(), [None, "bytes=4-"])
        self.check_stored()

    def test_each_byte_counts(self) -> None:
        """All bytes that were received before the connection broke are kept."""
        offsets: list[int] = []

        def answer(request: bytes) -> Iterator[Coming]:
            match = re.search(rb"Range: bytes=(\d+)-", request)
            start = int(match[1]) if match else 0
            offsets.append(start)
            head = http_answer(206, CONTENT[start:], f"Content-Range: bytes {start}-9/10")
            yield head[: len(head) - len(CONTENT) + start]
            yield CONTENT[start : start + 2]
            yield CONTENT[start + 2 : start + 3]
            yield ConnectionResetError("reset")

        upstream = make_upstream(MemoryTransport(answer), "http://example.com")
        fetch = BlobFetch(upstream, "a", BLOB, quick_retries(3), self.offsets.append)
        self.assertEqual(fetch.run(self.tree), FetchedBlob(10, 0))
        self.assertEqual(offsets, [0, 3, 6, 9])
        self.check_stored()

    def test_progress_is_told_now_and_then(self) -> None:
        """Progress is reported ten times a second at most, and at the end."""
        body = [http_answer(200, CONTENT)[: -len(CONTENT)], *(bytes([b]) for b in CONTENT)]
        clock = Clock()

        def seconds() -> float:
            clock.advance(0.03)
            return clock.seconds()

        upstream = make_upstream(MemoryTransport(lambda _: body), "http://example.com")
        BlobFetch(upstream, "a", BLOB, quick_retries(), self.offsets.append, clock=seconds).run(
            self.tree
        )
        self.assertEqual(self.offsets, [1, 5, 9, 10])

    def test_broken_off_for_good(self) -> None:
        """Received bytes are kept for the next run."""
        cuts = [Canned(200, CONTENT[:4], {"Content-Length": "10"})]
        rest = {"Content-Length": "6", "Content-Range": "bytes 4-9/10"}
        cuts += [Canned(206, b"", rest)] * 2
        self.assertRaises(UpstreamUnavailable, self.fetch, *cuts)
        self.assertEqual(self.tree.contents.partial_size(DIGEST), 4)
        self.check_not_stored()

    def test_wrong_bytes(self) -> None:
        """Wrong bytes are downloaded again, and never stored."""
        wrong = Canned(200, b"x" * 10)
        self.fetch(wrong)
        self.check_stored()

    def test_wrong_bytes_for_good(self) -> None:
        """Bytes that stay wrong are an error."""
        wrong = Canned(200, b"x" * 10)
        failure = self.assertRaises(ContentMismatch, self.fetch, wrong, wrong, wrong)
        self.assertIn(f"{DIGEST} was expected", str(failure))
        self.check_not_stored()

    def test_too_long(self) -> None:
        """A body that is too long is refused, with and without Content-Length."""
        stated = Canned(200, b"x" * 11)
        endless = Canned(200, b"x" * 11, {"Content-Length": "", "Transfer-Encoding": "identity"})
        self.fetch(stated, endless)
        self.check_stored()

    def test_too_short(self) -> None:
        """A body that is too short is not stored."""
        short = Canned(200, CONTENT[:9], {"Content-Length": ""})
        self.fetch(short)
        self.check_stored()

    def test_busy(self) -> None:
        """A registry that is busy is retried."""
        self.fetch(Canned(429), Canned(503))
        self.check_stored()

    def test_missing(self) -> None:
        """A missing blob is refused at once."""
        failure = self.assertRaises(UpstreamRefused, self.fetch, Canned(404))
        self.assertIn("the registry does not have it (status 404)", str(failure))
        self.assertEqual(len(self.transport.sent), 1)
        self.check_not_stored()

    def test_stopped(self) -> None:
        """When the work is stopped, received bytes are kept."""
        self.leave_partial(CONTENT[:4])
        retries = quick_retries()
        retries._stop.set()
        with self.assertRaises(Stopped):
            self.fetch(retries=retries)
        self.assertEqual(self.tree.contents.partial_size(DIGEST), 4)
