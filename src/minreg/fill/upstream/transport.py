"""HTTP to the outside: proxies, private certificate authorities, time limits, redirects."""

import ipaddress
import ssl
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.util import Timeout, make_headers, parse_url

from minreg import __version__
from minreg.fill.failures import FillFailure, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.addresses import is_loopback, is_same_origin, redirected
from minreg.fill.upstream.network_failures import network_failures
from minreg.fill.upstream.pace import POOLS

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
                raise FillFailure(
                    f"{ca_file} gives no certificate authorities: {reason}"
                ) from None
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
        with network_failures(url, self._proxy_for(url)):
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
            with network_failures(url, self._proxy_for(url)):
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
