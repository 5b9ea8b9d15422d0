"""Whether a client needs the bytes at all: entity tags (RFC 9110, section 13).

A digest is a strong validator by its nature, so it is the entity tag. There are no dates:
a file's time says when it was copied, not when its content came to be.
"""

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any, Generic, TypeVar

import attrs
from twisted.logger import Logger
from twisted.web.server import NOT_DONE_YET

from minreg.oci.errors import RegistryError, name_unknown, range_invalid, unavailable
from minreg.oci.names import Digest
from minreg.store.interfaces import (
    Content,
    ContentInvalid,
    ContentNotFound,
    ContentUnreadable,
    IRegistryStore,
    IRepository,
    RepositoryNotFound,
)
from minreg.web.disk import DiskIO
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.transfer.ranges import ByteRange, RangeNotSatisfiable, parse_range
from minreg.web.transfer.sendfile import SMALL, stream_parts, stream_range


def entity_tag(digest: str) -> str:
    """Write the strong entity tag of content with this digest."""
    return f'"{digest}"'


def is_not_modified(if_none_match: str | None, tag: str) -> bool:
    """Tell whether the client already has what ``tag`` stands for (section 13.1.2)."""
    if if_none_match is None or not ("*" in if_none_match or tag in if_none_match):
        return False
    offered = [item.strip(" \t") for item in if_none_match.split(",")]
    return "*" in offered or tag in (item.removeprefix("W/") for item in offered)


def is_range_current(if_range: str | None, tag: str) -> bool:
    """Tell whether a range continues what the client has (section 13.1.5).

    Only the same strong entity tag does; a date never can.
    """
    return if_range is None or if_range.strip(" \t") == tag


StoreResult = TypeVar("StoreResult")

_OVERHEAD = 2048
"""Bytes that known content takes besides its own, about."""


@attrs.frozen
class _Lookup(Generic[StoreResult]):
    answer: StoreResult
    by_namespace: bool

    def close(self) -> None:
        """Drop an answer that came too late."""
        if close := getattr(self.answer, "close", None):
            close()


@attrs.frozen
class _SmallContent:
    """Content that is in memory; its file is closed."""

    content: Content
    body: bytes

    def open(self) -> Content:
        """Make content of it that can be sent."""
        known = self.content
        return Content(
            BytesIO(self.body), known.size, known.digest, known.media_type, known.is_current
        )


@attrs.frozen
class RepositoryRequest:
    """A repository's name, the namespace that it is asked in, and where to look for it."""

    _store: IRegistryStore
    disk: DiskIO
    namespace: str | None
    name: str

    _log = Logger(namespace="minreg.store")

    def recall(self, request: RegistryRequest, place: str) -> Content | None:
        """Return content that is in memory, for it is small and was opened lately.

        Args:
            request: The request.
            place: What the content is called in the repository.
        """
        known: _Lookup[_SmallContent] | None = self.disk.known.find(self._key(place))
        if known is None:
            return None
        self._tell_namespace(request, known)
        return known.answer.open()

    async def open(
        self, request: RegistryRequest, place: str, question: Callable[[IRepository], Content]
    ) -> Content:
        """Open content as ``ask`` would, so that it can be recalled if it is small.

        Args:
            request: The request.
            place: What the content is called in the repository.
            question: Opens it.
        """
        answered = await self._look(lambda repository: _read_small(question(repository)))
        self._tell_namespace(request, answered)
        small = answered.answer
        if isinstance(small, Content):
            return small
        if small.content.is_current is not None:
            cost = len(small.body) + _OVERHEAD
            kept = _Lookup(small, answered.by_namespace)
            self.disk.known.keep(self._key(place), kept, small.content.is_current, cost)
        return small.open()

    def _key(self, place: str) -> tuple[str | None, str, str]:
        return self.namespace, self.name, place

    async def ask(
        self, request: RegistryRequest, question: Callable[[IRepository], StoreResult]
    ) -> StoreResult:
        """Find the repository and put a question to it, both in a thread.

        An answer that the namespace decided says so (distribution-spec, "Registry
        Proxying").

        Raises:
            RegistryError: There is no such repository, or it may not be read.
            ContentNotFound: The repository does not hold what the question is about.
            StoreUnavailable: The disk does not answer.
        """
        answered = await self._look(question)
        self._tell_namespace(request, answered)
        return answered.answer

    async def _look(self, question: Callable[[IRepository], StoreResult]) -> _Lookup[StoreResult]:
        try:
            return await self.disk.run(self._ask, question)
        except RepositoryNotFound:
            raise name_unknown(self.name) from None
        except ContentInvalid as error:
            self._log.warn("{reason}", event="broken", reason=str(error))
            raise self._refuse_broken(error) from None

    def _refuse_broken(self, error: ContentInvalid) -> Exception:
        where, fix = f"what {self.name} holds there", "the registry's log says how to mend it"
        if isinstance(error, ContentUnreadable):
            return unavailable(f"{where} cannot be read: {fix}")
        return ContentNotFound(f"{where} is damaged: {fix}")

    def _tell_namespace(self, request: RegistryRequest, answered: _Lookup[Any]) -> None:
        if answered.by_namespace and self.namespace is not None:
            request.setHeader(b"oci-namespace", self.namespace.encode("ascii"))

    def _ask(self, question: Callable[[IRepository], StoreResult]) -> _Lookup[StoreResult]:
        repository = self._store.find_repository(self.namespace, self.name)
        return _Lookup(question(repository), repository.by_namespace)


def _read_small(content: Content) -> Content | _SmallContent:
    """Read content that goes out in one piece anyway; what cannot be read stays as it is."""
    if content.size > SMALL:
        return content
    try:
        body = content.file.read(content.size)
        content.file.seek(0)
    except OSError:
        return content
    if len(body) < content.size:
        return content
    content.close()
    return _SmallContent(content, body)


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

    def __init__(self, repository: RepositoryRequest, text: str) -> None:
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
    request: RegistryRequest, content: Content, caching: bytes, disk: DiskIO
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


def send_recalled(
    request: RegistryRequest, content: Content, caching: bytes, disk: DiskIO
) -> None:
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
    request: RegistryRequest, content: Content, ranges: Sequence[ByteRange], disk: DiskIO
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
