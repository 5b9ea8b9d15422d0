"""Downloads one blob from an upstream registry into a tree.

An interrupted download is resumed (RFC 9110, 14.2, Range), also by a later process.
"""

import re
import time
from collections.abc import Callable
from contextlib import closing

import attrs

from minreg.fill.errors import ContentMismatch
from minreg.fill.tree.staging import PartialBlob
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstream
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Response, discard
from minreg.oci.manifests import Descriptor

# Bytes. An attempt that receives as many does not count as failed: a bad connection is retried
# without end as long as it makes progress.
_PROGRESS = 64 * 1024
_REPORT_SECONDS = 0.1
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


@attrs.frozen
class FetchedBlob:
    """The result: how many bytes were received now, and how many the tree had before."""

    received: int
    resumed: int


class BlobFetch:
    """The download of one blob.

    Args:
        upstream: The registry.
        repository: The repository there.
        blob: The blob's digest and size.
        retries: How often to retry.
        advanced: Called with the number of bytes that the tree has, ten times a second at most,
            and when it has all.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        upstream: Upstream,
        repository: str,
        blob: Descriptor,
        retries: Retries,
        advanced: Callable[[int], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._upstream = upstream
        self._repository = repository
        self._blob = blob
        self._retries = retries
        self._advanced = advanced
        self._clock = clock
        self._received = 0
        self._max_offset = 0
        self._next_report = 0.0

    def run(self, tree: TreeWriter) -> FetchedBlob:
        """Download the blob, unless its descriptor has it, and commit it to the tree.

        Raises:
            UpstreamRefused, UpstreamUnavailable, ContentMismatch: It cannot be downloaded.
            TreeNotWritable: It cannot be stored.
            Stopped: The work was stopped; received bytes are kept.
        """
        content = self._blob.inline_content
        with tree.open_partial(self._blob.digest) as partial:
            if content is not None:
                partial.restart()
                partial.write(content)
                partial.commit(self._blob.size)
                return FetchedBlob(len(content), 0)
            if partial.offset > self._blob.size:
                partial.restart()
            self._retries.run(
                lambda: self._attempt(partial), lambda: self._max_offset // _PROGRESS
            )
        return FetchedBlob(self._received, max(0, self._blob.size - self._received))

    def _attempt(self, partial: PartialBlob) -> None:
        if partial.offset < self._blob.size:
            response, url = self._upstream.open_blob(
                self._repository, self._blob.digest, partial.offset
            )
            if not _resumes(response, partial.offset, self._blob.size):
                partial.restart()
            if response.status == 416:
                discard(response)
                raise ContentMismatch(f"{url} has fewer than the expected {self._blob.size} bytes")
            self._check_length(response, partial, url)
            self._receive(response, partial, url)
        partial.commit(self._blob.size)

    def _receive(self, response: Response, partial: PartialBlob, url: str) -> None:
        with closing(self._upstream.iterate_body(response, url)) as chunks:
            for chunk in chunks:
                self._retries.check_stopped()
                if partial.offset + len(chunk) > self._blob.size:
                    partial.restart()
                    raise ContentMismatch(
                        f"{url} has more than the expected {self._blob.size} bytes"
                    )
                partial.write(chunk)
                self._received += len(chunk)
                self._report(partial.offset)

    def _report(self, offset: int) -> None:
        self._max_offset = max(self._max_offset, offset)
        now = self._clock()
        if offset == self._blob.size or now >= self._next_report:
            self._next_report = now + _REPORT_SECONDS
            self._advanced(offset)

    def _check_length(self, response: Response, partial: PartialBlob, url: str) -> None:
        """Refuse a response whose Content-Length contradicts the blob's size."""
        length = response.headers.get("Content-Length", "")
        expected = self._blob.size - partial.offset
        if length.isascii() and length.isdigit() and int(length[:18]) != expected:
            discard(response)
            raise ContentMismatch(f"{url} sends {length[:18]} bytes instead of {expected}")


def _resumes(response: Response, offset: int, size: int) -> bool:
    """Return whether a response continues at the requested offset."""
    if response.status != 206:
        return False
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    return match is not None and int(match[1]) == offset and match[2] in {str(size), "*"}
