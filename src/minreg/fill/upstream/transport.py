"""HTTP to upstream registries: connections, TLS, proxies, redirects, and errors.

A server that is silent for 60 seconds ends the request, and each body is limited in bytes by
who reads it. What is not guarded against: the time limit is that of a socket, for one read. So
a server that sends a byte a minute, or interim responses or chunk trailers without end, keeps a
thread until the user presses Ctrl-C; nothing is stored of what it sends.

urllib3 wraps the errors of sockets, TLS and HTTP in exceptions of its own, whose texts contain
names of classes. So users see none of these texts: ``translate_network_errors`` finds the error
that urllib3 wrapped, and says in one line what failed and what to do.
"""

import errno
import ipaddress
import os
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
from minreg.fill.upstream.authorities import load_system_authorities
from minreg.fill.upstream.url_policy import is_loopback, is_same_origin, resolve_redirect

_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_CONNECTION_LOST = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED})
_TUNNEL_STATUS = re.compile(r"Tunnel connection failed: (\d{3})")
_OPENSSL_PREFIX_AND_SUFFIX = re.compile(r"\[[A-Z0-9_: ]*\]\s*|\s*\(_ssl\.c:\d+\)")


@contextmanager
def translate_network_errors(url: str, proxy: str = "") -> Iterator[None]:
    """Raise UpstreamRefused or UpstreamUnavailable for an error of the network.

    The text says which host could not be reached, why, and what to do.

    Args:
        url: The URL that is requested.
        proxy: The URL of the proxy for it; empty for a direct connection.

    Raises:
        UpstreamRefused: A retry does not help: the URL, certificate or scheme is wrong.
        UpstreamUnavailable: All other errors.
    """
    parts = urlsplit(url)
    try:
        yield
    except LocationParseError:
        raise UpstreamRefused(f"{url[:160]!r} is not a valid URL") from None
    except ProxyError as error:
        raise _proxy_error(parts.netloc, parts.scheme, proxy, error.original_error) from None
    except SSLError as error:
        raise _tls_error(_find_cause(error), parts.netloc) from None
    except (HTTPError, HTTPException, OSError) as error:
        raise _network_error(error, parts.netloc, parts.scheme) from None


def _network_error(error: Exception, host: str, scheme: str) -> UpstreamUnavailable:
    cause = _find_cause(error)
    proxy = f"proxy: {scheme}_proxy"
    if isinstance(error, NameResolutionError):
        return HostUnreachable(f"cannot find {host}: {_lookup_problem(cause)}", proxy)
    if isinstance(error, ConnectTimeoutError) and isinstance(cause, TimeoutError):
        return HostUnreachable(f"cannot connect to {host}: no answer in time", "firewall", proxy)
    if isinstance(cause, ConnectionRefusedError):
        reason = f"cannot connect to {host}: it refuses connections"
        return HostUnreachable(reason, "another port", proxy)
    if isinstance(cause, OSError) and cause.errno in _NO_ROUTE:
        return HostUnreachable(f"cannot connect to {host}: no network here leads there", proxy)
    return UpstreamUnavailable(f"{host}: {_describe(error, cause)}")


def _lookup_problem(cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
        return "no network or DNS here, or no such host"
    return "no network or DNS here"


def _describe(error: Exception, cause: BaseException) -> str:
    """Return why an established connection failed."""
    text = "the connection broke"
    if isinstance(cause, RemoteDisconnected):
        text = "it closed the connection without an answer"
    elif isinstance(cause, IncompleteRead) or "IncompleteRead" in str(error):
        text = "the connection ended before the answer was complete"
    elif isinstance(error, ReadTimeoutError) or isinstance(cause, TimeoutError):
        text = "timed out: it sent nothing"
    elif isinstance(cause, HTTPException):
        text = "it does not answer as a web server does"
    elif isinstance(cause, OSError) and cause.strerror and cause.errno not in _CONNECTION_LOST:
        text = cause.strerror
    return text


def _proxy_error(
    host: str, scheme: str, proxy: str, error: Exception
) -> UpstreamRefused | UpstreamUnavailable:
    """Return the error of a proxy for a host. A password in the proxy's URL is not shown."""
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
        failure = _tls_error(cause, name)
        return type(failure)(f"{subject}: {failure}: check {variable}")
    if isinstance(error, NameResolutionError):
        reason = f"cannot be found: {_lookup_problem(cause)}"
    elif isinstance(cause, ConnectionRefusedError):
        reason = "refuses connections"
    elif isinstance(error, ConnectTimeoutError) and isinstance(cause, TimeoutError):
        reason = "does not answer in time"
    else:
        reason = "does not answer"
    return UpstreamUnavailable(f"{subject} {reason}: check {variable}")


def _tls_error(cause: BaseException, host: str) -> UpstreamRefused | UpstreamUnavailable:
    """Return UpstreamRefused for what a person must fix, and UpstreamUnavailable otherwise."""
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
    text = _OPENSSL_PREFIX_AND_SUFFIX.sub("", reason).strip()
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
    """Return the error of a socket, of TLS or of HTTP that urllib3 wrapped."""
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

# Bytes. TLS delivers 16 KiB at a time, and a much larger buffer costs more than it saves.
_CHUNK = 256 * 1024
_CONNECT_TIMEOUT = 30
_READ_TIMEOUT = 60
_MAX_REDIRECTS = 10
# Bytes that are received faster than a new connection is made.
_MAX_DRAIN = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Besides all from 500 on. Proxies answer 499 when the client closed its connection.
_TRANSIENT = frozenset({408, 429, 499})
# RFC 9110, section 15.6.2; some registries answer so to requests for referrers.
_NOT_IMPLEMENTED = 501


class Transport:
    """Sends requests, from any thread, over pooled connections.

    Proxies are those of ``http_proxy``, ``https_proxy`` and ``no_proxy``; loopback addresses
    are never reached through one. Certificates are verified against the system's authorities
    and those of ``ca_file``.

    Args:
        ca_file: Additional certificate authorities, in PEM.
        connections: The number of idle connections to keep to one host.
        read_timeout: The time in seconds to wait for the next bytes.
    """

    def __init__(
        self, ca_file: str | None = None, connections: int = 8, read_timeout: float = _READ_TIMEOUT
    ) -> None:
        self._tls = ssl.create_default_context()
        load_system_authorities(self._tls, os.environ)
        if ca_file is not None:
            try:
                self._tls.load_verify_locations(ca_file)
            except OSError as error:
                is_content = isinstance(error, ssl.SSLError)
                reason = "no certificate in PEM is in it" if is_content else error.strerror
                raise FillError(f"{ca_file} gives no certificate authorities: {reason}") from None
        self._connections = connections
        self._timeout = Timeout(connect=_CONNECT_TIMEOUT, read=read_timeout)
        self._proxies = urllib.request.getproxies()
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._open: set[Response] = set()
        self._mutex = Lock()

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Send one request, and return the response, whose body is not read yet.

        Raises:
            UpstreamRefused: The server's certificate or the URL is invalid.
            UpstreamUnavailable: The connection or the response failed.
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
        """Send a request, follow redirects, and return the last response and its URL.

        ``authorization`` is sent only to the origin of ``url``.

        Raises:
            UpstreamRefused: As for ``send``; or a redirect is not allowed, or one too many.
            UpstreamUnavailable: As for ``send``.
        """
        target = url
        for _ in range(_MAX_REDIRECTS + 1):
            sent = dict(headers)
            if authorization is not None and is_same_origin(url, target):
                sent["Authorization"] = authorization
            response = self.send(method, target, sent)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or location is None:
                return response, target
            discard(response)
            target = resolve_redirect(target, location)
        raise UpstreamRefused(f"{url} redirects more than {_MAX_REDIRECTS} times")

    def iterate_body(self, response: Response, url: str) -> Generator[bytes, None, None]:
        """Yield the bytes of a body as they are received.

        The caller limits how many it takes.

        Raises:
            UpstreamUnavailable: The connection broke or timed out.
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

    def read_body(self, response: Response, url: str, max_size: int) -> bytes:
        """Return a body of at most ``max_size`` bytes.

        Raises:
            UpstreamRefused: It has more.
            UpstreamUnavailable: The connection broke or timed out.
        """
        content = bytearray()
        with closing(self.iterate_body(response, url)) as chunks:
            for chunk in chunks:
                content += chunk
                if len(content) > max_size:
                    raise UpstreamRefused(f"{url} is larger than {max_size} bytes")
        return bytes(content)

    def interrupt(self) -> None:
        """Abort the bodies that other threads are reading, so that these threads can end."""
        with self._mutex:
            for response in self._open:
                # Raised if the body just ended.
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
        return pool

    def _proxy_for(self, url: str) -> str:
        """Return the URL of the proxy for a URL; empty for a direct connection."""
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
    """Close a response whose body is not needed.

    A connection can only be used again if its response was read to the end. So a short rest of
    the body is read, even an empty one, and the connection goes back to the pool.
    """
    remaining = response.length_remaining
    if remaining is not None and remaining <= _MAX_DRAIN:
        response.drain_conn()
    response.close()


def check_available(response: Response, url: str) -> None:
    """Raise UpstreamUnavailable if the status of a response says that a retry may help."""
    is_transient = response.status >= 500 and response.status != _NOT_IMPLEMENTED
    if not is_transient and response.status not in _TRANSIENT:
        return
    discard(response)
    wait = retry_after_seconds(response.headers.get("Retry-After", ""), time.time())
    reason = f"{url} answered with status {response.status}"
    if response.status == 429:
        reason += " (too many pulls); try later, or log in with docker login"
    raise UpstreamUnavailable(reason, wait)


def retry_after_seconds(value: str, now: float) -> float | None:
    """Return the seconds in a ``Retry-After`` header, which may be a date; None if invalid.

    Source: RFC 9110, 10.2.3.

    Args:
        value: The header's value.
        now: The current time, in seconds since the epoch.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _is_in_network(hostname: str, network: str) -> bool:
    """Return whether a host is an address in a network such as ``10.0.0.0/8``."""
    try:
        return ipaddress.ip_address(hostname) in ipaddress.ip_network(
            network.strip(), strict=False
        )
    except ValueError:
        return False
