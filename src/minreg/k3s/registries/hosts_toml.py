"""Reads ``hosts.toml``, which lists the hosts that containerd may ask for a registry's images.

Sources: containerd 2.2, ``config/hosts.go`` in ``core/remotes/docker``, and ``docs/hosts.md``.
"""

import posixpath
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from minreg.k3s.registries.mirror_endpoints import (
    DOCKER_HUB_API,
    EndpointInvalid,
    is_local,
    parse_url,
    split_port,
)
from minreg.oci.names import DOCKER_HUB

_CAPABILITIES = frozenset({"pull", "resolve", "push", "referrers"})


class HostsInvalid(ValueError):
    """containerd cannot read this ``hosts.toml``, and ignores it; the message says why."""


@attrs.frozen
class Host:
    """A host that containerd may ask.

    ``schemes`` are tried in this order until the host answers. ``rewrites`` are replacements by
    their patterns. ``is_default`` is true for the registry itself, and false for a mirror.
    """

    host: str
    schemes: Sequence[str]
    path: str = "/v2"
    capabilities: frozenset[str] = _CAPABILITIES
    ca_files: Sequence[str] = ()
    client_pairs: Sequence[Sequence[str]] = ()
    skips_verify: bool = False
    rewrites: Mapping[str, str] = attrs.field(factory=dict)
    is_default: bool = False


def parse_hosts(text: str, registry: str, *, is_of_k3s: bool) -> Sequence[Host]:
    """Parse the file of a registry.

    Args:
        text: The content of the file.
        registry: The host of the registry.
        is_of_k3s: Whether it is for K3s' own containerd. That asks the registry itself only if
            the file has a ``server`` or no hosts, and applies rewrites. Any other containerd
            always asks the registry itself last, and ignores rewrites.

    Returns:
        The hosts in the order in which they are asked.

    Raises:
        HostsInvalid: containerd cannot read the file.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise HostsInvalid(f"this is not TOML: {error}") from None
    tables = _checked(document, "host", dict, {})
    hosts = [_host(address, _checked(tables, address, dict, {})) for address in tables]
    server = _checked(document, "server", str, "")
    itself = _host(server, document) if server else registry_itself(registry, document)
    if "server" in document or not tables or not is_of_k3s:
        hosts.append(attrs.evolve(itself, is_default=True))
    return hosts if is_of_k3s else [attrs.evolve(host, rewrites={}) for host in hosts]


def _host(address: str, table: Mapping[str, Any]) -> Host:
    if not address.startswith("http"):
        address = f"https://{address}"
    try:
        url = parse_url(address)
    except EndpointInvalid as error:
        raise HostsInvalid(str(error)) from None
    path = posixpath.normpath(url.path) if url.path else ""
    overrides = _checked(table, "override_path", bool, default=False)
    if not overrides and not path.endswith("/v2"):
        path = f"{path.rstrip('/')}/v2"
    return _with_table(Host(url.host, (url.scheme,), path), table)


def registry_itself(registry: str, table: Mapping[str, Any] | None = None) -> Host:
    """Return the host for the registry itself, which containerd asks if no file says otherwise.

    Args:
        registry: The host of the registry.
        table: The TLS settings at the top of a file.

    Raises:
        HostsInvalid: The settings are not valid.
    """
    if registry == DOCKER_HUB:
        host = Host(DOCKER_HUB_API, ("https",), is_default=True)
    elif is_local(registry) and split_port(registry)[1] not in {"", "443"}:
        # Without a scheme TLS is tried first, with any certificate, except on port 80.
        is_plain = split_port(registry)[1] == "80"
        host = Host(registry, ("http",) if is_plain else ("https", "http"), is_default=True)
        host = attrs.evolve(host, skips_verify=not is_plain)
    else:
        host = Host(registry, ("https",), skips_verify=is_local(registry), is_default=True)
    return attrs.evolve(
        _with_table(host, table or {}), path="/v2", capabilities=_CAPABILITIES, rewrites={}
    )


def _with_table(host: Host, table: Mapping[str, Any]) -> Host:
    """Add the settings of a table. TLS settings make http the second choice, except on port 80."""
    capabilities = frozenset(
        str(capability).lower()
        for capability in _checked(table, "capabilities", list, _CAPABILITIES)
    )
    if not capabilities <= _CAPABILITIES:
        raise HostsInvalid(f"capabilities must be of {', '.join(sorted(_CAPABILITIES))}")
    has_tls = bool({"ca", "client", "skip_verify"} & set(table)) or host.skips_verify
    schemes = host.schemes
    if schemes == ("http",) and has_tls and split_port(host.host)[1] != "80":
        schemes = ("https", "http")
    return attrs.evolve(
        host,
        schemes=schemes,
        capabilities=capabilities or _CAPABILITIES,
        ca_files=_texts(table.get("ca", []), "ca"),
        client_pairs=_pairs(table.get("client", [])),
        skips_verify=_checked(table, "skip_verify", bool, host.skips_verify),
        rewrites={
            pattern: _checked({pattern: replacement}, pattern, str, "")
            for pattern, replacement in _checked(table, "rewrite", dict, {}).items()
        },
    )


def _checked(table: Mapping[str, Any], key: str, kind: type[Any], default: Any) -> Any:
    """Return the value of a key, or a default; raise ``HostsInvalid`` for another type."""
    value = table.get(key, default)
    if value is not default and not isinstance(value, kind):
        raise HostsInvalid(f"{key} has the wrong type: see docs/hosts.md of containerd")
    return value


def _texts(value: object, key: str) -> Sequence[str]:
    """Read a text or a list of texts."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise HostsInvalid(f"{key} must be a path, or a list of paths")
    return texts


def _pairs(value: object) -> Sequence[Sequence[str]]:
    """Read client certificates: a file with certificate and key, or pairs of files."""
    pairs = [value] if isinstance(value, str) else value
    if not isinstance(pairs, list):
        raise HostsInvalid("client must be a path, or a list of paths or pairs")
    clients = [_texts(pair, "client") for pair in pairs]
    if any(isinstance(pair, list) and len(pair) != 2 for pair in pairs):
        raise HostsInvalid("client must have pairs of two paths: certificate and key")
    return clients
