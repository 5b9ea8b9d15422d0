"""HTTP to upstream registries: connections, TLS, proxies, redirects, and errors.

A server that is silent for 60 seconds ends the request, and each body is limited in bytes by
who reads it. What is not guarded against: the time limit is that of a socket, for one read. So
a server that sends a byte a minute, or interim responses or chunk trailers without end, keeps a
thread until the user presses Ctrl-C; nothing is stored of what it sends.
"""

import ipaddress
import ssl
import time
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, ProxyError, SSLError
from urllib3.util import Timeout, make_headers, parse_url

from minreg import __version__
from minreg.fill.errors import FillError, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.url_policy import is_loopback, is_same_origin, resolve_redirect


@contextmanager
def translate_network_errors(url: str) -> Iterator[None]:
    """Raise UpstreamRefused or UpstreamUnavailable for an error of the network.

    The text says which host could not be reached, why, and what to do.
    """
    host = urlsplit(url).netloc
    try:
        yield
    except ProxyError as error:
        raise UpstreamUnavailable(f"{host}: the proxy does not answer: {error}") from None
    except LocationParseError:
        raise UpstreamRefused(f"{url[:160]!r} is no valid URL") from None
    except SSLError as error:
        raise _tls_error(str(error), host) from None
    except (HTTPError, HTTPException, OSError) as error:
        raise UpstreamUnavailable(f"{host}: {error}") from None


def _tls_error(reason: str, host: str) -> UpstreamRefused | UpstreamUnavailable:
    """Return UpstreamRefused for what a person must fix, and UpstreamUnavailable otherwise."""
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        fix = "give the certificate of its authority with --ca-file"
        return UpstreamRefused(f"{host}: its certificate is not trusted; {fix}")
    if "WRONG_VERSION_NUMBER" in reason or "RECORD_LAYER_FAILURE" in reason:
        fix = f"if it serves plain HTTP, give --plain-http {host}"
        return UpstreamRefused(f"{host}: the server does not speak TLS; {fix}")
    return UpstreamUnavailable(f"{host}: {reason}")


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
        if ca_file is not None:
            try:
                self._tls.load_verify_locations(ca_file)
            except OSError as error:
                reason = error.strerror or error
                raise FillError(
                    f"cannot read certificate authorities from {ca_file}: {reason}; "
                    "give a file in PEM"
                ) from None
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
        with translate_network_errors(url):
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
            with translate_network_errors(url):
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
    if response.status < 500 and response.status not in _TRANSIENT:
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
