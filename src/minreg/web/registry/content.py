"""Manifests and blobs as responses: conditional requests, ranges, and the bytes.

A digest is a strong validator by its nature, so it is the entity tag (RFC 9110, section 13).
There are no dates: a file's time says when it was copied, not when its content was made.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

import attrs
from twisted.logger import Logger

from minreg.oci.errors import name_unknown, range_invalid, unavailable
from minreg.store.interfaces import (
    SMALL,
    Content,
    ContentInvalid,
    ContentNotFound,
    ContentUnreadable,
    IRegistryStore,
    RepositoryNotFound,
)
from minreg.web.disk import DiskIO
from minreg.web.request import RegistryRequest
from minreg.web.transfer.ranges import ByteRange, RangeNotSatisfiable, parse_range
from minreg.web.transfer.sendfile import stream_parts, stream_range

IMMUTABLE = b"public, max-age=31536000, immutable"
"""``Cache-Control`` of content that is addressed by a digest (RFC 8246)."""

REVALIDATE = b"no-cache"
"""``Cache-Control`` of a manifest that is addressed by a tag, which may be moved at any time."""


class StoreResult(Protocol):
    """A result of the store's methods."""

    @property
    def by_namespace(self) -> bool:
        """Whether the request's namespace decided which repository it is from."""


Result = TypeVar("Result", bound=StoreResult)


@attrs.frozen
class RepositoryAddress:
    """The repository that a request names, and the store to ask for it."""

    store: IRegistryStore
    disk: DiskIO
    namespace: str | None
    name: str

    _log = Logger(namespace="minreg.store")

    async def fetch(
        self, request: RegistryRequest, method: Callable[..., Result], *args: Any
    ) -> Result:
        """Call a method of the store in a thread.

        If the request's namespace decided which repository the result is from, the response
        says so (distribution-spec, "Registry Proxying").

        Args:
            request: The request.
            method: A method of ``store`` whose first arguments are namespace and name.
            args: More arguments for it.

        Raises:
            RegistryError: There is no such repository, or the content cannot be read.
            ContentNotFound: The repository does not have the content.
            StoreUnavailable: The disk does not answer.
        """
        try:
            result = await self.disk.run(method, self.namespace, self.name, *args)
        except RepositoryNotFound:
            raise name_unknown(self.name) from None
        except ContentInvalid as error:
            self._log.warn("{reason}", event="content_invalid", reason=str(error))
            hint = "the registry's log says what to do"
            if isinstance(error, ContentUnreadable):
                raise unavailable(f"this content of {self.name} cannot be read: {hint}") from None
            raise ContentNotFound(f"this content of {self.name} is damaged: {hint}") from None
        if result.by_namespace and self.namespace is not None:
            request.setHeader(b"oci-namespace", self.namespace.encode("ascii"))
        return result


def entity_tag(digest: str) -> str:
    """Return the strong entity tag of content with this digest."""
    return f'"{digest}"'


def is_not_modified(if_none_match: str | None, tag: str) -> bool:
    """Return whether the client already has the content of an entity tag (section 13.1.2)."""
    if if_none_match is None or not ("*" in if_none_match or tag in if_none_match):
        return False
    tags = [item.strip(" \t") for item in if_none_match.split(",")]
    return "*" in tags or tag in (item.removeprefix("W/") for item in tags)


def is_range_current(if_range: str | None, tag: str) -> bool:
    """Return whether a range is of the same content as the client's part (section 13.1.5).

    It is if ``If-Range`` is missing, or has the same strong entity tag. A date never matches.
    """
    return if_range is None or if_range.strip(" \t") == tag


async def send_content(
    request: RegistryRequest, content: Content, cache_control: bytes, disk: DiskIO
) -> None:
    """Send a manifest or a blob, as the request's conditions and ranges ask for it.

    Args:
        request: A GET or HEAD.
        content: The content; its file is closed in any case.
        cache_control: The value of ``Cache-Control``.
        disk: Reads what is not in memory yet.

    Raises:
        StoreUnavailable: The disk does not answer; nothing was sent.
        RegistryError: The range that was asked for has no byte of it, or it cannot be read;
            nothing was sent.
    """
    with ExitStack() as on_failure:
        on_failure.callback(content.close)
        tag = _set_fields(request, content, cache_control)
        if is_not_modified(request.header(b"if-none-match"), tag):
            request.setResponseCode(304)
            _send_head_only(request, content)
            return
        if request.method == b"HEAD":
            _send_head_only(request, content)
            return
        ranges = _requested_ranges(request, content, tag)
        first = ranges[0] if ranges else ByteRange(0, content.size)
        await disk.make_ready(content.file, first.offset, first.size)
        if len(ranges) > 1:
            _send_parts(request, content, ranges)
        elif ranges:
            _send_range(request, content, first, disk)
        elif content.size > SMALL:
            stream_range(request, content.file, first, disk)
        else:
            _send_small(request, content)
        on_failure.pop_all()


def _set_fields(request: RegistryRequest, content: Content, cache_control: bytes) -> str:
    """Set the fields that content has however it is sent, and return its entity tag."""
    digest = str(content.digest)
    tag = entity_tag(digest)
    request.setHeader(b"docker-content-digest", digest.encode("ascii"))
    request.setHeader(b"etag", tag.encode("ascii"))
    request.setHeader(b"accept-ranges", b"bytes")
    request.setHeader(b"cache-control", cache_control)
    request.setHeader(b"content-type", content.media_type.encode("ascii"))
    request.setHeader(b"content-length", b"%d" % content.size)
    return tag


def _send_head_only(request: RegistryRequest, content: Content) -> None:
    content.close()
    request.is_current = content.is_current
    request.finish()


def _requested_ranges(request: RegistryRequest, content: Content, tag: str) -> Sequence[ByteRange]:
    """Return the ranges that the request asks for; none if it asks for all bytes."""
    header = request.header(b"range")
    if header is None or not is_range_current(request.header(b"if-range"), tag):
        return ()
    try:
        return parse_range(header, content.size)
    except RangeNotSatisfiable:
        request.setHeader(b"content-range", b"bytes */%d" % content.size)
        raise range_invalid(content.size) from None


def _send_range(request: RegistryRequest, content: Content, part: ByteRange, disk: DiskIO) -> None:
    request.setResponseCode(206)
    request.setHeader(b"content-range", part.content_range(content.size))
    request.setHeader(b"content-length", b"%d" % part.size)
    if part.size > SMALL:
        stream_range(request, content.file, part, disk)
    else:
        body = _read(content, part)
        request.write(body)
        request.finish()


def _send_small(request: RegistryRequest, content: Content) -> None:
    body = _read(content, ByteRange(0, content.size))
    request.is_current = content.is_current
    request.write(body)
    request.finish()


def _read(content: Content, part: ByteRange) -> bytes:
    try:
        with content.file as file:
            file.seek(part.offset)
            body = file.read(part.size)
    except OSError as error:
        raise unavailable(str(error)) from None
    if len(body) < part.size:
        raise unavailable(f"{content.digest} was truncated while it was read")
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
