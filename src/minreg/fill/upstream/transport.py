"""Errors of the network as one line for people: what could not be reached, and what to do.

urllib3 wraps the errors of sockets, TLS and HTTP in classes of its own, whose texts name
classes. None of these texts is shown.
"""

import errno
import ipaddress
import re
import socket
import ssl
import time
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Timeout, make_headers, parse_url

from minreg import __version__
from minreg.fill.errors import FillError, HostUnreachable, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.pace import OWN_REASONS, POOLS
from minreg.fill.upstream.url_policy import is_loopback, is_same_origin, redirected

_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_BROKEN = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")
_OF_OPENSSL = re.compile(r"\[[A-Z0-9_: ]*\]\s*|\s*\(_ssl\.c:\d+\)")


@contextmanager
def translate_network_errors(url: str, proxy: str = "") -> Iterator[None]:
    """Raise an error of the network as a failure that says what to do.

    Args:
        url: What is asked for.
        proxy: The URL of the proxy that is asked for it; empty if there is none.

    Raises:
        UpstreamRefused: Trying again does not help: a wrong URL, certificate or scheme.
        UpstreamUnavailable: All other errors.
    """
    parts = urlsplit(url)
    try:
        yield
    except LocationParseError:
        raise UpstreamRefused(f"{url[:160]!r} is no web address") from None
    except ProxyError as error:
        raise _proxy_failure(parts.netloc, parts.scheme, proxy, error.original_error) from None
    except SSLError as error:
        raise _tls_failure(_find_cause(error), parts.netloc) from None
    except (HTTPError, HTTPException, OSError) as error:
        raise _failure(error, parts.netloc, parts.scheme) from None


def _failure(error: Exception, host: str, scheme: str) -> UpstreamUnavailable:
    cause = _find_cause(error)
    proxy = f"proxy: {scheme}_proxy"
    if isinstance(error, NameResolutionError):
        return HostUnreachable(f"cannot find {host}: {_why_not_found(cause)}", proxy)
    if isinstance(error, ConnectTimeoutError) and isinstance(cause, TimeoutError):
        return HostUnreachable(f"cannot connect to {host}: no answer in time", "firewall", proxy)
    if isinstance(cause, ConnectionRefusedError):
        reason = f"cannot connect to {host}: it refuses connections"
        return HostUnreachable(reason, "another port", proxy)
    if isinstance(cause, OSError) and cause.errno in _NO_ROUTE:
        return HostUnreachable(f"cannot connect to {host}: no network here leads there", proxy)
    return UpstreamUnavailable(f"{host}: {_describe(error, cause)}")


def _why_not_found(cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
        return "no network or DNS here, or no such host"
    return "no network or DNS here"


def _describe(error: Exception, cause: BaseException) -> str:
    """Describe what broke a connection that was there."""
    text = "the connection broke"
    if isinstance(cause, RemoteDisconnected):
        text = "it closed the connection without an answer"
    elif isinstance(cause, IncompleteRead) or "IncompleteRead" in str(error):
        text = "the connection ended before the answer was complete"
    elif isinstance(error, ReadTimeoutError) or isinstance(cause, TimeoutError):
        text = f"timed out{_own_words(cause) or ': it sent nothing, or too little'}"
    elif isinstance(cause, HTTPException):
        text = f"it does not answer as a web server does{_own_words(cause)}"
    elif isinstance(cause, OSError) and cause.strerror and cause.errno not in _BROKEN:
        text = cause.strerror
    return text


def _own_words(cause: BaseException) -> str:
    """Return what minreg itself says of a stream that is too slow or too long."""
    text = str(cause)
    return f": {text}" if text in OWN_REASONS else ""


def _proxy_failure(
    host: str, scheme: str, proxy: str, error: Exception
) -> UpstreamRefused | UpstreamUnavailable:
    """Say why a proxy does not lead to a host. A login in its URL is not shown."""
    variable = f"{scheme}_proxy"
    name = urlsplit(proxy).netloc.rpartition("@")[2]
    subject = f"the proxy {name} for {host}".replace("  ", " ")
    cause = _find_cause(error)
    tunnel = _TUNNEL_STATUS.search(str(error))
    if tunnel is not None and tunnel[1] == "407":
        return UpstreamRefused(
            f"{subject} wants a login: write it as http://USER:PASSWORD@HOST:PORT in {variable}"
        )
    if tunnel is not None:
        reason = f"{subject} does not let this through (status {tunnel[1]})"
        return UpstreamUnavailable(f"{reason}: ask who runs it, or name {host} in no_proxy")
    if isinstance(error, SSLError):
        failure = _tls_failure(cause, name)
        return type(failure)(f"{subject}: {failure}: check {variable}")
    if isinstance(error, NameResolutionError):
        reason = f"cannot be found: {_why_not_found(cause)}"
    elif isinstance(cause, ConnectionRefusedError):
        reason = "refuses connections"
    elif isinstance(error, ConnectTimeoutError) and isinstance(cause, TimeoutError):
        reason = "does not answer in time"
    else:
        reason = "does not answer"
    return UpstreamUnavailable(f"{subject} {reason}: check {variable}")


def _tls_failure(cause: BaseException, host: str) -> UpstreamRefused | UpstreamUnavailable:
    """Tell what a person must change from what may work the next time."""
    reason = str(cause)
    if "CERTIFICATE_VERIFY_FAILED" in reason or isinstance(cause, ssl.SSLCertVerificationError):
        return UpstreamRefused(f"{host}: {_certificate_problem(reason)}")
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
        return UpstreamRefused(
            f"{host}: it does not talk TLS: if it should not, say --plain-http {host}"
        )
    if "UNEXPECTED_EOF" in reason:
        return UpstreamUnavailable(f"{host}: the connection broke within TLS")
    if "ALERT" in reason or "HANDSHAKE_FAILURE" in reason:
        return UpstreamUnavailable(f"{host}: it refuses to talk TLS with this machine")
    text = _OF_OPENSSL.sub("", reason).strip()
    return UpstreamUnavailable(f"{host}: TLS failed{f': {text}' if text else ''}")


def _certificate_problem(reason: str) -> str:
    lower = reason.lower()
    if "expired" in lower:
        return "its certificate has expired: renew it, or set this machine's clock"
    if "not yet valid" in lower:
        return "its certificate is not yet valid: set this machine's clock"
    if "mismatch" in lower or "doesn't match" in lower or "not valid for" in lower:
        return "its certificate is for another name: use the name that is in it"
    return "its certificate is from no authority known here: name one with --ca-file"


def _find_cause(error: BaseException) -> BaseException:
    """Return the error of the socket, TLS or HTTP that urllib3 wrapped."""
    for _ in range(8):
        inner: object = error.__cause__
        if isinstance(error, ProxyError):
            inner = error.original_error
        elif isinstance(error, ProtocolError | SSLError) and not isinstance(inner, BaseException):
            inner = error.args[-1] if error.args else None
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


Response = urllib3.BaseHTTPResponse

# Bytes. TLS gives 16 KiB at a time, and a much larger buffer for each costs more than it saves.
_CHUNK = 256 * 1024
_CONNECT_SECONDS = 30
_SILENCE_SECONDS = 60
_MOST_REDIRECTS = 10
# Bytes that come sooner than a new connection does.
_WORTH_READING = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Besides all from 500 on. 499 is what proxies say of one that was in a hurry.
_TRANSIENT = frozenset({408, 429, 499})


class Transport:
    """Sends requests, from any thread, over connections that are kept.

    Proxies are those of ``http_proxy``, ``https_proxy`` and ``no_proxy``; nothing on this
    machine is asked through one. Certificates are checked against the system's
    authorities, and those of ``ca_file``.

    Args:
        ca_file: More certificate authorities, as PEM.
        connections: How many to keep to one host.
        silence: Seconds without a byte after which a server counts as gone.
    """

    def __init__(
        self, ca_file: str | None = None, connections: int = 8, silence: float = _SILENCE_SECONDS
    ) -> None:
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            try:
                self._tls.load_verify_locations(ca_file)
            except OSError as error:
                is_file = isinstance(error, ssl.SSLError)
                reason = "no certificate in PEM is in it" if is_file else error.strerror
                raise FillError(f"{ca_file} gives no certificate authorities: {reason}") from None
        self._connections = connections
        self._timeout = Timeout(connect=_CONNECT_SECONDS, read=silence)
        self._proxies = urllib.request.getproxies()
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._open: set[Response] = set()
        self._mutex = Lock()

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Send one request; the response's body is still to be read.

        Raises:
            UpstreamRefused: The server's certificate, or the URL, is no good.
            UpstreamUnavailable: There is no connection, or no answer.
        """
        sent = {"User-Agent": f"minreg/{__version__}", "Accept-Encoding": "identity", **headers}
        with translate_network_errors(url, self._proxy_for(url)):
            return self._pool_for(url).request(
                method,
                url,
                headers=sent,
                body=body,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )

    def follow(
        self, method: str, url: str, headers: Mapping[str, str], authorization: str | None = None
    ) -> tuple[Response, str]:
        """Send a request, follow where it is redirected, and tell where that was.

        ``authorization`` goes to the server of ``url`` and to no other.
        """
        target = url
        for _ in range(_MOST_REDIRECTS + 1):
            sent = dict(headers)
            if authorization is not None and is_same_origin(url, target):
                sent["Authorization"] = authorization
            response = self.send(method, target, sent)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                return response, target
            discard(response)
            target = redirected(target, location)
        raise UpstreamRefused(f"{url} redirects more than {_MOST_REDIRECTS} times")

    def iterate_body(self, response: Response, url: str) -> Generator[bytes, None, None]:
        """Give the bytes of a body as they come, without waiting for more.

        Raises:
            UpstreamUnavailable: It broke off, or no byte came for too long.
        """
        with self._mutex:
            self._open.add(response)
        try:
            with translate_network_errors(url, self._proxy_for(url)):
                while chunk := response.read1(_CHUNK, decode_content=False):
                    yield chunk
        finally:
            with self._mutex:
                self._open.discard(response)
            discard(response)

    def read_body(self, response: Response, url: str, most: int) -> bytes:
        """Read a body of at most ``most`` bytes.

        Raises:
            UpstreamRefused: It has more.
            UpstreamUnavailable: It broke off, or no byte came for too long.
        """
        content = bytearray()
        with closing(self.iterate_body(response, url)) as chunks:
            for chunk in chunks:
                content += chunk
                if len(content) > most:
                    raise UpstreamRefused(f"{url} is larger than {most} bytes")
        return bytes(content)

    def interrupt(self) -> None:
        """Break off all bodies that are being read, so that nobody waits for them."""
        with self._mutex:
            for response in self._open:
                # It may come to its end just now.
                with suppress(RuntimeError, ValueError):
                    response.shutdown()

    def _pool_for(self, url: str) -> urllib3.PoolManager:
        proxy = self._proxy_for(url)
        with self._mutex:
            if proxy not in self._pools:
                self._pools[proxy] = self._make_pool(proxy)
            return self._pools[proxy]

    def _make_pool(self, proxy: str) -> urllib3.PoolManager:
        options: Any = {
            "num_pools": 32,
            "maxsize": self._connections,
            "ssl_context": self._tls,
        }
        pool = urllib3.PoolManager(**options)
        if proxy:
            account = parse_url(proxy).auth
            headers = make_headers(proxy_basic_auth=account) if account else None
            pool = urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
        pool.pool_classes_by_scheme = POOLS
        return pool

    def _proxy_for(self, url: str) -> str:
        """Find the proxy for a URL; empty if it is asked directly."""
        parts = urlsplit(url)
        hostname = parts.hostname or ""
        if is_loopback(hostname) or self._is_exempt(hostname, parts.netloc):
            return ""
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all") or ""
        return proxy if not proxy or "://" in proxy else f"http://{proxy}"

    def _is_exempt(self, hostname: str, netloc: str) -> bool:
        if urllib.request.proxy_bypass(netloc, self._proxies):
            return True
        return any(
            _is_in_network(hostname, entry) for entry in self._proxies.get("no", "").split(",")
        )


def discard(response: Response) -> None:
    """Be done with a response, and keep its connection if that is worth the reading.

    A connection can be used again once its response was read to the end, even if there is
    nothing to read.
    """
    remaining = response.length_remaining
    if remaining is not None and remaining <= _WORTH_READING:
        response.drain_conn()
    response.close()


def check_available(response: Response, url: str) -> None:
    """Tell an upstream that cannot answer just now from one that did.

    Raises:
        UpstreamUnavailable: Its status says so.
    """
    if response.status < 500 and response.status not in _TRANSIENT:
        return
    discard(response)
    wait = retry_after_seconds(response.headers.get("Retry-After", ""), time.time())
    reason = f"{url} answered with status {response.status}"
    if response.status == 429:
        reason += ": it limits how much is pulled; try later, or after docker login"
    raise UpstreamUnavailable(reason, wait)


def retry_after_seconds(value: str, now: float) -> float | None:
    """Read ``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date.

    Args:
        value: The header's value.
        now: The time, in seconds since the epoch.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _is_in_network(hostname: str, network: str) -> bool:
    """Tell whether an address lies in a network such as ``10.0.0.0/8``."""
    try:
        return ipaddress.ip_address(hostname) in ipaddress.ip_network(
            network.strip(), strict=False
        )
    except ValueError:
        return False
