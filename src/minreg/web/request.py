"""One request: what is done before a resource is asked, and how it is answered."""

import re
import time
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString
from twisted.web.server import NOT_DONE_YET, Request

from minreg.oci.errors import RegistryError, host_invalid, unavailable

CLIENT_LEFT = "the client left"
NOT_TAKEN = "the client did not take the answer"
"""What is said of answers that did not reach their end through the client's fault."""

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[\w.~%!$&'()*+,;=-]*)(:[0-9]*)?", re.ASCII)
"""A name, an IPv4 address or, in brackets, an IPv6 address (RFC 3986, section 3.2.2)."""


class RegistryRequest(Request):
    """A request to the registry.

    ``started`` is the time at which it had arrived, in seconds of the site's clock;
    ``namespace`` what the client sent as ``ns``; ``failure`` why it was refused or broken
    off, for the log; ``asked`` its bytes, if it came alone and in one piece; ``fields`` are
    those of its answer that are written already, each behind a line break; ``head`` is all
    of the answer's head.
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
    asked = b""
    fields = b""
    head = b""
    has_arrived = False
    has_left = False
    _body_size = 0

    def gotLength(self, _length: int | None) -> None:
        """Make ready for a body, of which nothing is kept."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Drop a part of the body: a registry that only reads has no use for it."""
        self._body_size += len(data)
        self.channel.check_body(self._body_size)

    def process(self) -> None:
        """Find the resource that the path names, and let it answer."""
        self.site = self.channel.site
        self.started = self.site.reactor.seconds()
        self.has_arrived = True
        self.prepath = []
        if not self._has_host():
            self.refuse(host_invalid())
            return
        self.postpath = path_of(self.path).split(b"/")
        if b"%" in self.path:
            self.postpath = [unquote_to_bytes(part) for part in self.postpath]
        try:
            self.site.getResourceFor(self).render(self)
        except Exception:  # noqa: BLE001 - whatever it is, this client gets an answer
            self.processingFailed(Failure())

    def _has_host(self) -> bool:
        """Whether the request says once for which host it is, as it must (RFC 9112, 3.2)."""
        hosts = self.requestHeaders.getRawHeaders(b"host", ())
        if not hosts:
            return self.clientproto != b"HTTP/1.1"
        return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None

    def header(self, name: bytes) -> str | None:
        """Read a header. Several lines of it count as one list (RFC 9110, section 5.3)."""
        lines = self.requestHeaders.getRawHeaders(name)
        return None if lines is None else b", ".join(lines).decode("latin-1")

    def respond(self, body: bytes, media_type: bytes) -> int:
        """Send a whole body, or only its head if the method is HEAD."""
        self.setHeader(b"content-type", media_type)
        self.setHeader(b"content-length", b"%d" % len(body))
        self.write(body)
        self.finish()
        return NOT_DONE_YET

    def respond_with(self, body: bytes, is_current: Callable[[], bool] | None) -> None:
        """Send all that is left to send; it may be sent again while ``is_current``."""
        self.write(body)
        self.finish()
        if is_current is not None:
            self.site.shortcut.keep(self, body, is_current)

    def describe(self) -> dict[str, object]:
        """Tell what the log says of the request, wherever it came from."""
        return {
            "method": self.method.decode("ascii"),
            "path": self.path.decode("latin-1"),
            "ns": self.namespace,
            "status": self.code,
            "bytes": self.sentLength,
            "user_agent": (self.getHeader(b"user-agent") or b"-").decode("utf-8", "replace"),
            "failure": self.failure,
        }

    def refuse(self, error: RegistryError) -> int:
        """Send an error document."""
        self.failure = str(error)
        self.setResponseCode(error.status)
        self.fields = b""
        if error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.responseHeaders.removeHeader(b"content-range")
        return self.respond(error.document(), b"application/json")

    def processingFailed(self, reason: Failure) -> None:
        """Answer for a fault of our own: an error document, or else a closed connection."""
        self._log.failure("cannot answer {uri}", reason, uri=repr(self.uri))
        if self.has_left or self.finished:
            return
        if self.startedWriting:
            self.break_off("the registry failed")
        else:
            self.refuse(RegistryError(500, "UNKNOWN", "the registry failed; its log says why"))

    def break_off(self, failure: str) -> None:
        """Close the connection in the middle of a body, so that nobody takes it for whole.

        If nothing of the answer was sent yet, the client can still be told.
        """
        self.unregisterProducer()
        if self.startedWriting:
            self.failure = failure
            self.loseConnection()
        else:
            self.refuse(unavailable(failure))

    def connectionLost(self, reason: Failure) -> None:
        """Learn that the client has left before it had its answer."""
        self.has_left = True
        if self.has_arrived:
            self.failure = self.failure or CLIENT_LEFT
            self.channel.site.log(self)
        super().connectionLost(reason)


def name_client(address: IAddress) -> str:
    """Name a client: its IP address, or ``unix`` if it came through a socket file."""
    return getattr(address, "host", "unix")


def http_date() -> bytes:
    """Write the time as ``Date`` does, to the second (RFC 9110, section 5.6.7)."""
    return _date_of(int(time.time()))


@lru_cache(maxsize=1)
def _date_of(second: int) -> bytes:
    return bytes(datetimeToString(second))


def path_of(target: bytes) -> bytes:
    """Take the path of a request's target, without the slash that it begins with.

    Source: RFC 9112, section 3.2: a client may send an absolute URL.
    """
    if target.lower().startswith((b"http://", b"https://")):
        _scheme, _, _authority, *path = target.split(b"/", 3)
        return path[0] if path else b""
    return target.removeprefix(b"/")
