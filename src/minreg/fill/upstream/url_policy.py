"""Which addresses may be asked, and which may be told secrets."""

import ipaddress
from urllib.parse import SplitResult, urljoin, urlsplit

from minreg.fill.errors import UpstreamRefused
from minreg.oci.names import DOCKER_HUB, parse_host

_PORTS = {"http": 80, "https": 443}


def base_url(address: str, plain_http: frozenset[str]) -> str:
    """Give the URL of a registry's API, without ``/v2/``.

    Args:
        address: The registry's host, with each port that it was named with.
        plain_http: The hosts that talk plain HTTP, as ``parse_host`` spells them. Those on
            this machine do anyway.
    """
    if address == DOCKER_HUB:
        return "https://registry-1.docker.io"
    hostname = urlsplit(f"//{address}").hostname or ""
    is_plain = parse_host(address) in plain_http or is_loopback(hostname)
    return f"{'http' if is_plain else 'https'}://{address}"


def is_same_origin(one: str, other: str) -> bool:
    """Tell whether two URLs lead to the same server: scheme, host and port."""
    return _origin(urlsplit(one)) == _origin(urlsplit(other))


def is_loopback(hostname: str) -> bool:
    """Tell whether a host name or address is this machine's own."""
    if hostname == "localhost" or hostname.endswith(".localhost"):
        return True
    address = _address(hostname)
    return address is not None and address.is_loopback


def redirected(url: str, location: str) -> str:
    """Give the URL that a redirect leads to.

    Raises:
        UpstreamRefused: It leads to where no public server has a reason to lead: from
            https to http, or into a private network.
    """
    try:
        target = urljoin(url, location)
        parts, origin = _split(target), urlsplit(url)
        hostname = parts.hostname or ""
    except ValueError:
        raise UpstreamRefused(f"{url} redirects to {location[:160]!r}, which is no URL") from None
    if parts.scheme not in _PORTS or not hostname:
        raise UpstreamRefused(f"{url} redirects to {location[:160]!r}, which is no web address")
    if origin.scheme == "https" and parts.scheme == "http":
        raise UpstreamRefused(f"{url} redirects to plain HTTP: {origin.hostname} must not")
    _refuse_private(url, origin.hostname or "", hostname)
    return target


def check_realm(registry_url: str, realm: str) -> None:
    """Make sure that a registry's token server is one that may be told a password.

    Raises:
        UpstreamRefused: It is not reached by https, or lies in a private network, while
            the registry is public.
    """
    try:
        parts = _split(realm)
    except ValueError:
        parts = urlsplit("")
    hostname, registry = parts.hostname or "", urlsplit(registry_url)
    if not hostname or parts.scheme not in _PORTS:
        reason = f"names a token server that is no URL: {realm[:160]!r}"
        raise UpstreamRefused(f"{registry_url} {reason}")
    if parts.scheme == "http" and registry.scheme != "http":
        raise UpstreamRefused(f"{registry_url} names a token server without TLS: {realm[:160]}")
    _refuse_private(registry_url, registry.hostname or "", hostname)


def _refuse_private(url: str, origin: str, hostname: str) -> None:
    address = _address(hostname)
    if hostname == origin or (address is None and not is_loopback(hostname)):
        return
    if address is not None and address.is_global:
        return
    known = _address(origin)
    if is_loopback(origin) or (known is not None and not known.is_global):
        return
    raise UpstreamRefused(f"{url} leads to {hostname}, which is not a public address")


def _address(hostname: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(hostname)
    except ValueError:
        return None


def _split(url: str) -> SplitResult:
    """Split a URL.

    Raises:
        ValueError: It has no such form, or a port that there is not.
    """
    parts = urlsplit(url)
    if parts.port == 0:
        raise ValueError("port 0 is none")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
    return parts.scheme, parts.hostname, port
