"""Answers with stored content: whole, in part, or not at all if the client has it."""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache

from twisted.web.server import NOT_DONE_YET

from minreg.errors import RegistryError, range_invalid, unavailable
from minreg.interfaces import Content, ContentNotFound, IRepository
from minreg.names import Digest
from minreg.web.disk import Disk
from minreg.web.registry.address import RepositoryAddress
from minreg.web.registry.conditions import entity_tag, is_not_modified, is_range_current
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.sending.ranges import ByteRange, RangeNotSatisfiable, parse_range
from minreg.web.sending.streaming import SMALL, stream_parts, stream_range

FOR_EVER = b"public, max-age=31536000, immutable"
"""Caching of what a digest addresses (RFC 8246)."""

ASK_AGAIN = b"no-cache"
"""Caching of what a tag addresses: it may be another manifest tomorrow."""


class ContentResource(RegistryResource):
    """A manifest or a blob of a repository.

    Args:
        repository: The repository.
        text: How the request names what it wants: a tag or a digest, if it is right.
    """

    isLeaf = True

    def __init__(self, repository: RepositoryAddress, text: str) -> None:
        super().__init__()
        self.repository = repository
        self.text = text

    def answer_with(
        self,
        request: RegistryRequest,
        place: str,
        question: Callable[[IRepository], Content],
        caching: bytes,
    ) -> int:
        """Send content: at once if it is in memory, or else when it was found.

        Args:
            request: The request.
            place: What the content is called in the repository.
            question: Opens it.
            caching: The value of ``Cache-Control``.
        """
        content = self.repository.recall(request, place)
        if content is None:
            return self.answer_later(request, self._send(request, place, question, caching))
        send_recalled(request, content, caching, self.repository.disk)
        return NOT_DONE_YET

    async def _send(
        self,
        request: RegistryRequest,
        place: str,
        question: Callable[[IRepository], Content],
        caching: bytes,
    ) -> None:
        try:
            content = await self.repository.open(request, place, question)
        except ContentNotFound as error:
            raise self.not_found(error) from None
        await send_content(request, content, caching, self.repository.disk)

    def not_found(self, error: ContentNotFound) -> RegistryError:
        """Say what is not there."""
        raise NotImplementedError


async def send_content(
    request: RegistryRequest, content: Content, caching: bytes, disk: Disk
) -> None:
    """Send a manifest or a blob as the request's conditions and ranges want it.

    Args:
        request: A GET or HEAD.
        content: The content; its file is closed in any case.
        caching: The value of ``Cache-Control``.
        disk: Reads what is not in memory yet.

    Raises:
        StoreUnavailable: The disk does not answer; the answer has not begun.
        RegistryError: Nothing of it is in the range that was asked for, or it cannot be
            read; the answer has not begun.
    """
    ranges = _begin(request, content, caching)
    if ranges is None:
        return
    first = ranges[0] if ranges else ByteRange(0, content.size)
    with content.closed_on_failure():
        await disk.make_ready(content.file, first.offset, first.size)
    _send_body(request, content, ranges, disk)


def send_recalled(request: RegistryRequest, content: Content, caching: bytes, disk: Disk) -> None:
    """Send content as ``send_content`` does; it is in memory, so that nothing waits."""
    ranges = _begin(request, content, caching)
    if ranges is not None:
        _send_body(request, content, ranges, disk)


def _begin(
    request: RegistryRequest, content: Content, caching: bytes
) -> Sequence[ByteRange] | None:
    """Write the head; answer if that is all, or else tell which ranges are wanted, if any."""
    tag, request.fields = _write_fields(content.digest, caching)
    request.setHeader(b"content-type", content.media_type.encode("ascii"))
    request.setHeader(b"content-length", b"%d" % content.size)
    if is_not_modified(request.header(b"if-none-match"), tag):
        content.close()
        request.setResponseCode(304)
        request.finish()
        return None
    if request.method == b"HEAD":
        content.close()
        request.respond_with(b"", content.is_current)
        return None
    return _wanted_ranges(request, content, tag)


@lru_cache(maxsize=1024)
def _write_fields(digest: Digest, caching: bytes) -> tuple[str, bytes]:
    """Write an entity tag, and the fields that content has in whichever way it is sent."""
    tag = entity_tag(str(digest))
    fields = (
        b"\r\nDocker-Content-Digest: %b\r\nETag: %b\r\nAccept-Ranges: bytes\r\nCache-Control: %b"
        % (str(digest).encode("ascii"), tag.encode("ascii"), caching)
    )
    return tag, fields


def _wanted_ranges(request: RegistryRequest, content: Content, tag: str) -> Sequence[ByteRange]:
    header = request.header(b"range")
    if header is None or not is_range_current(request.header(b"if-range"), tag):
        return ()
    try:
        return parse_range(header, content.size)
    except RangeNotSatisfiable:
        content.close()
        request.setHeader(b"content-range", b"bytes */%d" % content.size)
        raise range_invalid(content.size) from None


def _send_body(
    request: RegistryRequest, content: Content, ranges: Sequence[ByteRange], disk: Disk
) -> None:
    if len(ranges) > 1:
        _send_parts(request, content, ranges)
        return
    part = ByteRange(0, content.size)
    if ranges:
        part = ranges[0]
        request.setResponseCode(206)
        request.setHeader(b"content-range", part.content_range(content.size))
        request.setHeader(b"content-length", b"%d" % part.size)
    if part.size > SMALL:
        stream_range(request, content.file, part, disk)
    else:
        request.respond_with(_read_now(content, part), content.is_current)


def _read_now(content: Content, part: ByteRange) -> bytes:
    try:
        with content.file as file:
            file.seek(part.offset)
            body = file.read(part.size)
    except OSError as error:
        raise unavailable(str(error)) from None
    if len(body) < part.size:
        raise unavailable(f"{content.digest} was cut short while it was read")
    return body


def _send_parts(request: RegistryRequest, content: Content, ranges: Sequence[ByteRange]) -> None:
    """Send several ranges as ``multipart/byteranges`` (RFC 9110, section 14.6)."""
    boundary = os.urandom(16).hex().encode("ascii")
    head = b"\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n"
    media_type = content.media_type.encode("ascii")
    parts = [
        (head % (boundary, media_type, part.content_range(content.size)), part) for part in ranges
    ]
    parts.append((b"\r\n--%s--\r\n" % boundary, ByteRange(0, 0)))
    length = sum(len(before) + part.size for before, part in parts)
    request.setResponseCode(206)
    request.setHeader(b"content-type", b"multipart/byteranges; boundary=" + boundary)
    request.setHeader(b"content-length", b"%d" % length)
    stream_parts(request, content.file, parts)
