"""Which URLs may be requested, and which may receive credentials.

A registry or a proxy may send redirects and token servers of its choice. They must not make
this machine send requests into its private network (server-side request forgery), nor send
credentials without TLS.
"""

import ipaddress
from urllib.parse import SplitResult, urljoin, urlsplit

from minreg.fill.errors import UpstreamRefused
from minreg.oci.names import DOCKER_HUB, parse_host

_PORTS = {"http": 80, "https": 443}


def base_url(address: str, plain_http: frozenset[str]) -> str:
    """Return the URL of a registry, without ``/v2/``.

    Args:
        address: The registry's host, with its port if one was given.
        plain_http: The hosts that serve plain HTTP, as ``parse_host`` returns them. Loopback
            addresses do in any case.
    """
    if address == DOCKER_HUB:
        return "https://registry-1.docker.io"
    hostname = urlsplit(f"//{address}").hostname or ""
    is_plain = parse_host(address) in plain_http or is_loopback(hostname)
    return f"{'http' if is_plain else 'https'}://{address}"


def is_same_origin(url: str, other: str) -> bool:
    """Return whether two URLs have the same scheme, host and port."""
    return _origin(urlsplit(url)) == _origin(urlsplit(other))


def is_loopback(hostname: str) -> bool:
    """Return whether a host name or address is a loopback address of this machine."""
    if hostname == "localhost" or hostname.endswith(".localhost"):
        return True
    address = _address(hostname)
    return address is not None and address.is_loopback


def resolve_redirect(url: str, location: str) -> str:
    """Return the URL that a redirect leads to.

    Raises:
        UpstreamRefused: ``location`` is invalid, leads from https to http, or from a public
            server into a private network.
    """
    try:
        target = urljoin(url, location)
        parts, origin = _split(target), urlsplit(url)
        hostname = parts.hostname or ""
    except ValueError:
        raise UpstreamRefused(f"{url} redirects to {location[:160]!r}, which is no URL") from None
    if parts.scheme not in _PORTS or not hostname:
        raise UpstreamRefused(f"{url} redirects to {location[:160]!r}, which is no HTTP URL")
    if origin.scheme == "https" and parts.scheme == "http":
        raise UpstreamRefused(f"{url} redirects from https to plain HTTP, which is not followed")
    _refuse_private(url, origin.hostname or "", hostname)
    return target


def check_realm(registry_url: str, realm: str) -> None:
    """Check that credentials may be sent to a registry's token server.

    Raises:
        UpstreamRefused: Its URL is invalid, uses plain HTTP although the registry uses TLS, or
            is in a private network although the registry is public.
    """
    try:
        parts = _split(realm)
    except ValueError:
        parts = urlsplit("")
    hostname, registry = parts.hostname or "", urlsplit(registry_url)
    if not hostname or parts.scheme not in _PORTS:
        raise UpstreamRefused(
            f"{registry_url} names a token server with an invalid URL: {realm[:160]!r}"
        )
    if parts.scheme == "http" and registry.scheme != "http":
        raise UpstreamRefused(f"{registry_url} names a token server without TLS: {realm[:160]}")
    _refuse_private(registry_url, registry.hostname or "", hostname)


def _refuse_private(url: str, origin: str, hostname: str) -> None:
    address = _address(hostname)
    if hostname == origin or (address is None and not is_loopback(hostname)):
        return
    if address is not None and address.is_global:
        return
    origin_address = _address(origin)
    if is_loopback(origin) or (origin_address is not None and not origin_address.is_global):
        return
    raise UpstreamRefused(
        f"{url} leads to {hostname}, which is not a public address; this is not followed"
    )


def _address(hostname: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(hostname)
    except ValueError:
        return None


def _split(url: str) -> SplitResult:
    """Split a URL; raise ValueError if it or its port is invalid."""
    parts = urlsplit(url)
    if parts.port == 0:
        raise ValueError("port 0 is invalid")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, parts.hostname, port
