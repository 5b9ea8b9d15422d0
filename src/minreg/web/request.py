"""Requests, and the base class of the resources that answer them.

Errors become the JSON documents of the specification here: those that resources raise, and
unexpected ones.
"""

import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.error import UnsupportedMethod
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from minreg.log import RequestRecord
from minreg.oci.errors import (
    RegistryError,
    host_invalid,
    not_an_endpoint,
    unavailable,
    unsupported,
)
from minreg.store.interfaces import StoreNotReady, StoreUnavailable

ALLOWED = b"GET, HEAD"

CLIENT_LEFT = "the client left"
NOT_TAKEN = "the client did not accept the response"
"""Failures of responses that did not end because of the client."""

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[\w.~%!$&'()*+,;=-]*)(:[0-9]*)?", re.ASCII)
"""A name, an IPv4 address or, in brackets, an IPv6 address (RFC 3986, section 3.2.2)."""

_CONTENT_FIELDS = (
    b"accept-ranges",
    b"cache-control",
    b"docker-content-digest",
    b"etag",
)
"""Fields that describe content, which an error document must not have."""


class RegistryRequest(Request):
    """A request to the registry.

    Attributes:
        started: The time at which it had arrived, in seconds of the site's clock.
        namespace: What the client sent as ``ns``.
        failure: Why it was refused or aborted, for the access log; empty if it was not.
        is_current: A function that returns whether the same request would still get the same
            response; None if that cannot be told. It is set by the resource.
    """

    defaultContentType = None
    _log = Logger()

    site: Any  # a RegistrySite, once the request has arrived
    channel: Any  # a RegistryChannel, or None once the client has left
    prepath: list[bytes]
    postpath: list[bytes]
    started = 0.0
    namespace = ""
    failure = ""
    is_current: Callable[[], bool] | None = None
    has_arrived = False
    has_left = False
    _body_size = 0

    def gotLength(self, _length: int | None) -> None:
        """Prepare for a body, which is dropped."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Drop a part of the body: a read-only registry needs none."""
        self._body_size += len(data)
        self.channel.check_body(self._body_size)

    def process(self) -> None:
        """Find the resource that the path names, and let it respond."""
        self.site = self.channel.site
        self.started = self.site.reactor.seconds()
        self.has_arrived = True
        self.prepath = []
        if not self._has_valid_host():
            self.refuse(host_invalid())
            return
        self.postpath = path_of(self.path).split(b"/")
        if b"%" in self.path:
            self.postpath = [unquote_to_bytes(part) for part in self.postpath]
        try:
            self.site.getResourceFor(self).render(self)
        except Exception:  # noqa: BLE001 - as in Twisted's process(): any error is logged and answered with 500
            self.processingFailed(Failure())

    def _has_valid_host(self) -> bool:
        """Return whether the request names its host exactly once (RFC 9112, section 3.2)."""
        hosts = self.requestHeaders.getRawHeaders(b"host", ())
        if not hosts:
            return self.clientproto != b"HTTP/1.1"
        return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None

    def header(self, name: bytes) -> str | None:
        """Return a header field; several lines of it are one list (RFC 9110, section 5.3)."""
        lines = self.requestHeaders.getRawHeaders(name)
        return None if lines is None else b", ".join(lines).decode("latin-1")

    def respond(self, body: bytes, media_type: bytes) -> int:
        """Send a complete response. If the method is HEAD, only its head is sent."""
        self.setHeader(b"content-type", media_type)
        self.setHeader(b"content-length", b"%d" % len(body))
        self.write(body)
        self.finish()
        return NOT_DONE_YET

    def make_record(self, seconds: float) -> RequestRecord:
        """Return what the access log says about this request.

        Args:
            seconds: How long the response took.
        """
        return RequestRecord(
            client=name_client(self.client),
            method=self.method.decode("ascii"),
            path=self.path.decode("latin-1"),
            ns=self.namespace,
            status=self.code,
            bytes=self.sentLength,
            user_agent=(self.getHeader(b"user-agent") or b"-").decode("utf-8", "replace"),
            failure=self.failure,
            seconds=seconds,
        )

    def refuse(self, error: RegistryError) -> int:
        """Send an error document."""
        self.failure = str(error)
        self.setResponseCode(error.status)
        for name in _CONTENT_FIELDS:
            self.responseHeaders.removeHeader(name)
        if error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.responseHeaders.removeHeader(b"content-range")
        return self.respond(error.document(), b"application/json")

    def processingFailed(self, reason: Failure) -> None:
        """Respond to a fault of minreg: with an error document, or by closing the connection."""
        self._log.failure("cannot answer {uri}", reason, uri=repr(self.uri))
        if self.has_left or self.finished:
            return
        if self.startedWriting:
            self.break_off("the registry failed")
        else:
            self.refuse(RegistryError(500, "UNKNOWN", "the registry failed; its log says why"))

    def break_off(self, failure: str) -> None:
        """Abort the response, so that the client cannot take it for complete.

        If nothing of it was sent yet, the client gets an error document instead.

        Args:
            failure: The reason, for the access log.
        """
        self.unregisterProducer()
        if self.startedWriting:
            self.failure = failure
            self.loseConnection()
        else:
            self.refuse(unavailable(failure))

    def connectionLost(self, reason: Failure) -> None:
        """Log that the client left before it had its response."""
        self.has_left = True
        if self.has_arrived:
            self.failure = self.failure or CLIENT_LEFT
            self.channel.site.log(self)
        super().connectionLost(reason)


def name_client(address: IAddress) -> str:
    """Return a client's IP address, or ``unix`` if it is connected to a Unix socket."""
    return getattr(address, "host", "unix")


def path_of(target: bytes) -> bytes:
    """Return the path of a request's target, without its leading slash.

    A client may send an absolute URL (RFC 9112, section 3.2).
    """
    if target.lower().startswith((b"http://", b"https://")):
        _scheme, _, _authority, *path = target.split(b"/", 3)
        return path[0] if path else b""
    return target.removeprefix(b"/")


class RegistryResource(Resource):
    """A resource whose errors are the specification's JSON documents, never HTML.

    Attributes:
        fallback: The resource for paths below this one that are no endpoints, if it is set.

    """

    fallback: "RegistryResource | None" = None
    _log = Logger()

    def getChild(self, _path: bytes, _request: RegistryRequest) -> "RegistryResource":
        """Return the resource for a path that is no endpoint."""
        if self.fallback is not None:
            return self.fallback
        return RefusingResource(not_an_endpoint)

    def render_GET(self, request: RegistryRequest) -> int:
        """Refuse the request: only paths below this one are endpoints."""
        if self.fallback is not None:
            return self.fallback.render(request)
        raise not_an_endpoint()

    def render(self, request: RegistryRequest) -> int:
        """Respond to a request, now or later."""
        try:
            super().render(request)
        except RegistryError as error:
            request.refuse(error)
        except UnsupportedMethod:
            request.setHeader(b"allow", ALLOWED)
            request.refuse(unsupported(request.method.decode("ascii")))
        return NOT_DONE_YET

    def answer_later(self, request: RegistryRequest, response: Coroutine[Any, Any, None]) -> int:
        """Run a coroutine that responds. It is cancelled if the client leaves before."""
        deferred = Deferred.fromCoroutine(response)
        request.notifyFinish().addErrback(lambda _reason: deferred.cancel())
        deferred.addErrback(self._fail, request)
        return NOT_DONE_YET

    def _fail(self, failure: Failure, request: RegistryRequest) -> None:
        if request.has_left and failure.check(CancelledError):
            return
        if isinstance(failure.value, RegistryError):
            request.refuse(failure.value)
        elif isinstance(failure.value, StoreUnavailable):
            # A root that the daemon waits for is logged once, when the waiting starts.
            if not failure.check(StoreNotReady):
                self._log.error("cannot read the registry: {reason}", reason=str(failure.value))
            request.refuse(unavailable(str(failure.value)))
        else:
            request.processingFailed(failure)


class RefusingResource(RegistryResource):
    """A path that is always refused.

    Args:
        make_error: Makes the error. One exception must not be raised twice: each time, its
            traceback would grow and keep more frames alive.
    """

    isLeaf = True

    def __init__(self, make_error: Callable[[], RegistryError]) -> None:
        super().__init__()
        self._make_error = make_error

    def render_GET(self, request: RegistryRequest) -> int:  # noqa: ARG002
        """Refuse the request."""
        raise self._make_error()
