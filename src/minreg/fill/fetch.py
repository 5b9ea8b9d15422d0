"""Brings one blob from an upstream registry into a tree.

What came before the connection broke, or before an earlier process ended, is not fetched
again (RFC 9110, 14.2: Range).
"""

import re
import time
from collections.abc import Callable
from contextlib import closing

import attrs

from minreg.fill.errors import ContentMismatch
from minreg.fill.tree.atomic import PartialBlob
from minreg.fill.tree.writer import TreeWriter
from minreg.fill.upstream.registry import Upstream
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Response, discard
from minreg.oci.manifests import Descriptor

# A broken line is tried again without end as long as so many bytes come each time.
_WORTHWHILE = 64 * 1024
_REPORT_SECONDS = 0.1
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")


@attrs.frozen
class FetchedBlob:
    """What became of a blob, in bytes: how many came now, and how many were here."""

    received: int
    resumed: int


class BlobFetch:
    """The fetching of one blob.

    Args:
        upstream: Where it is.
        repository: The repository there.
        blob: Its digest and size.
        retries: How often to try.
        advanced: Told how many bytes are here, now and then, and when all are.
        clock: The time in seconds.
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
        self._furthest = 0
        self._next_report = 0.0

    def run(self, tree: TreeWriter) -> FetchedBlob:
        """Fetch the blob, and make it part of the tree.

        Raises:
            UpstreamRefused, UpstreamUnavailable, ContentMismatch: It cannot be had.
            TreeNotWritable: It cannot be stored.
            Stopped: All work is to end; what came is kept.
        """
        with tree.open_partial(self._blob.digest) as partial:
            if partial.offset > self._blob.size:
                partial.restart()
            self._retries.run(
                lambda: self._attempt(partial), lambda: self._furthest // _WORTHWHILE
            )
        return FetchedBlob(self._received, max(0, self._blob.size - self._received))

    def _attempt(self, partial: PartialBlob) -> None:
        if partial.offset < self._blob.size:
            response, url = self._upstream.open_blob(
                self._repository, self._blob.digest, partial.offset
            )
            if not _continues(response, partial.offset, self._blob.size):
                partial.restart()
            if response.status == 416:
                discard(response)
                raise ContentMismatch(f"{url} does not have the {self._blob.size} bytes it should")
            self._check_length(response, partial, url)
            self._receive(response, partial, url)
        partial.commit(self._blob.size)

    def _receive(self, response: Response, partial: PartialBlob, url: str) -> None:
        with closing(self._upstream.iterate_body(response, url)) as chunks:
            for chunk in chunks:
                self._retries.check_stopped()
                if partial.offset + len(chunk) > self._blob.size:
                    partial.restart()
                    raise ContentMismatch(f"{url} is longer than its {self._blob.size} bytes")
                partial.write(chunk)
                self._received += len(chunk)
                self._report(partial.offset)

    def _report(self, offset: int) -> None:
        self._furthest = max(self._furthest, offset)
        now = self._clock()
        if offset == self._blob.size or now >= self._next_report:
            self._next_report = now + _REPORT_SECONDS
            self._advanced(offset)

    def _check_length(self, response: Response, partial: PartialBlob, url: str) -> None:
        """Refuse at once what says itself that it is another size."""
        length = response.headers.get("Content-Length", "")
        expected = self._blob.size - partial.offset
        if length.isascii() and length.isdigit() and int(length[:18]) != expected:
            discard(response)
            raise ContentMismatch(f"{url} has {length[:18]} bytes to come, and not {expected}")


def _continues(response: Response, offset: int, size: int) -> bool:
    """Tell whether a response goes on at the offset that was asked for."""
    if response.status != 206:
        return False
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    return match is not None and int(match[1]) == offset and match[2] in {str(size), "*"}
