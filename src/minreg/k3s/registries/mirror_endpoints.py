"""Parses the endpoints in ``registries.yaml``, as K3s does to write them for containerd.

Source: K3s, ``pkg/agent/containerd/config.go``, ``normalizeEndpointAddress``, and Go's
``net/url``, whose parser accepts other texts than Python's.
"""

import re
from ipaddress import ip_address
from urllib.parse import quote, unquote_to_bytes

import attrs

from minreg.oci.names import DOCKER_HUB

DOCKER_HUB_API = "registry-1.docker.io"
"""The host that serves the Docker Hub's images."""

_DEFAULT_PATH = "/v2"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
# Go allows in a host the characters of RFC 3986 and some more, and in a port digits only.
_HOST = re.compile(
    r"""
    (?: \[ (?: [^\]/\\^`{|}%\ \x00-\x1f\x7f] | %[89A-Fa-f][0-9A-Fa-f] )*
        (?: %25 (?: [^\]/\\^`{|}%\ \x00-\x1f\x7f] | %[0-9A-Fa-f]{2} )+ )? \]
    | (?: [^\[\]/\\^`{|}%\ \x00-\x1f\x7f] | %[89A-Fa-f][0-9A-Fa-f] )*
    )
    (?::[0-9]*)?
    """,
    re.VERBOSE,
)
_BAD_PORT = re.compile(r":[^:\]]*[^:\]0-9][^:\]]*\Z")
_PARTS = re.compile(r"([^/?#]*)([^?#]*)(.*)", re.DOTALL)
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_ALLOWED = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_VALID_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@\[\]/%-]*")
_VALID_USER = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]*")
# The characters that Go does not escape when it encodes a part of a URL again.
_UNESCAPED = "$&+,;=-_.~"
_UNESCAPED_IN_HOST = "-_.~!$&'()*+,;=:[]<>\"%"


class EndpointInvalid(ValueError):
    """K3s ignores this endpoint; the message says why."""


@attrs.frozen
class Url:
    """The parts of a URL. ``user`` ends with ``@``; ``rest`` is the query and the fragment."""

    scheme: str
    user: str
    host: str
    path: str
    rest: str


@attrs.frozen
class MirrorEndpoint:
    """An endpoint as containerd uses it.

    ``host`` includes the port, if one was given. ``path`` is the prefix of the API's paths:
    ``/v2`` unless ``overrides_path``. ``rest`` is the query and the fragment, which have no
    effect.
    """

    scheme: str
    host: str
    path: str = _DEFAULT_PATH
    overrides_path: bool = False
    user: str = ""
    rest: str = ""

    @property
    def registry(self) -> str:
        """The key of its settings in ``configs``."""
        return DOCKER_HUB if self.host == DOCKER_HUB_API else self.host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.user}{self.host}{self.path}{self.rest}"


def parse_endpoint(text: str, embedded: str = "") -> MirrorEndpoint:
    """Parse an endpoint, or the name of a registry, as K3s does.

    Args:
        text: The text in ``registries.yaml``.
        embedded: The address of K3s' embedded registry, which always uses TLS.

    Raises:
        EndpointInvalid: K3s ignores the endpoint.
    """
    url = parse_url(text)
    host, path = url.host, url.path
    scheme = url.scheme or ("http" if _is_plain_http(host) and host != embedded else "https")
    overrides = path not in {"", "/", _DEFAULT_PATH}
    return MirrorEndpoint(
        scheme,
        DOCKER_HUB_API if host == DOCKER_HUB else host,
        path if overrides else _DEFAULT_PATH,
        overrides,
        url.user,
        url.rest,
    )


def parse_url(text: str) -> Url:
    """Split a URL, with or without a scheme, as Go's ``net/url`` does.

    Raises:
        EndpointInvalid: It is not a URL.
    """
    scheme, rest = _split_scheme(text)
    match = _PARTS.fullmatch(rest)
    authority, path, rest = match.groups() if match is not None else ("", "", "")
    user, at, host = authority.rpartition("@")
    if not _is_host(host) or _VALID_USER.fullmatch(user) is None:
        raise EndpointInvalid(
            f"{text[:160]!r} has no host: write https://HOST, or http://HOST:PORT"
        )
    if _BARE_PERCENT.search(user + path):
        raise EndpointInvalid(
            f"{text[:160]!r} has a '%' without two hexadecimal digits: write %25"
        )
    if _VALID_PATH.fullmatch(path) is None:
        path = quote(unquote_to_bytes(path), safe=f"{_UNESCAPED}/:@")
    name, colon, password = user.partition(":")
    user = f"{_encode_again(name)}{colon}{_encode_again(password)}{at}"
    return Url(scheme, user, quote(host, safe=_UNESCAPED_IN_HOST), path, rest)


def _is_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None and not _BAD_PORT.search(host)


def _encode_again(part: str) -> str:
    return quote(unquote_to_bytes(part), safe=_UNESCAPED)


def is_local(host: str) -> bool:
    """Return whether a host is this machine: ``localhost`` or a loopback address.

    Source: containerd, ``core/remotes/docker/resolver.go``, ``IsLocalhost``.
    """
    name, _ = split_port(host)
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def split_port(host: str) -> tuple[str, str]:
    """Split ``host:port``, without the brackets of an IPv6 address; the port may be empty."""
    name, colon, port = host.rpartition(":")
    if colon and (name.startswith("[") and name.endswith("]")):
        return name[1:-1], port
    if colon and ":" not in name and not host.startswith("["):
        return name, port
    return host, ""


def _is_plain_http(host: str) -> bool:
    """Return whether K3s uses http for a host without a scheme: a local port other than 443."""
    # Go takes what is behind the last colon for the port, even in an IPv6 address in no brackets.
    port = "" if host.endswith("]") else host.rpartition(":")[2] if ":" in host else ""
    return is_local(host) and port not in {"", "443"}


def _split_scheme(text: str) -> tuple[str, str]:
    if _NOT_ALLOWED.search(text):
        raise EndpointInvalid(
            f"{text[:160]!r} has a character that is not allowed in a URL: delete it"
        )
    if "://" not in text:
        return "", text
    scheme, _, rest = text.partition("://")
    if _SCHEME.fullmatch(scheme) is None:
        raise EndpointInvalid(
            f"{text[:160]!r} does not begin with a scheme: write http:// or https://"
        )
    return scheme.lower(), rest
