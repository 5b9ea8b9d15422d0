"""Selects the mirrors and settings that ``minreg registries`` writes into ``registries.yaml``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from minreg.k3s.registries.mirror_endpoints import (
    EndpointInvalid,
    MirrorEndpoint,
    is_local,
    parse_endpoint,
)
from minreg.k3s.registries.yaml_writer import Document
from minreg.oci.names import DOCKER_HUB, is_host


class SelectionInvalid(ValueError):
    """The options select something impossible; the message says why and what to do."""


@attrs.frozen
class MirrorSelection:
    """The registries to write mirrors for, and their endpoints.

    ``names`` are the registries, and ``endpoints`` are asked for their images, in this order.
    ``tls`` are the settings for endpoints with TLS, ``auth`` for all endpoints on other machines.
    """

    names: Sequence[str]
    endpoints: Sequence[MirrorEndpoint]
    tls: Mapping[str, str | bool] = attrs.field(factory=dict)
    auth: Mapping[str, str] = attrs.field(factory=dict)

    def document(self) -> Document:
        """Return the content of ``registries.yaml``, with settings under the endpoints' hosts.

        Raises:
            SelectionInvalid: There are settings, and no endpoint that they apply to.
        """
        document: dict[str, Document] = {"mirrors": dict(self._mirrors())}
        configs = self._configs()
        if configs:
            document["configs"] = configs
        return document

    def _mirrors(self) -> Iterator[tuple[str, Document]]:
        for name in self.names:
            itself = str(parse_endpoint(name))
            # containerd asks the registry itself anyway, last.
            urls = [
                shorten_endpoint(endpoint)
                for endpoint in self.endpoints
                if str(endpoint) != itself
            ]
            if urls:
                yield name, {"endpoint": urls}

    def _configs(self) -> dict[str, Document]:
        configs: dict[str, dict[str, Document]] = {}
        for endpoint in self.endpoints:
            if self.auth and not is_local(endpoint.host):
                configs.setdefault(endpoint.registry, {})["auth"] = self.auth
            if self.tls and endpoint.scheme == "https":
                configs.setdefault(endpoint.registry, {})["tls"] = self.tls
        if self.auth and not any("auth" in config for config in configs.values()):
            raise SelectionInvalid(
                "the login applies to no endpoint: name one on another machine with --endpoint"
            )
        if self.tls and not any("tls" in config for config in configs.values()):
            raise SelectionInvalid(
                "the TLS settings apply to no endpoint: name one that is https:// with --endpoint"
            )
        return dict(configs)


def check_endpoint(text: str) -> MirrorEndpoint:
    """Parse the value of ``--endpoint``, which must not depend on what K3s adds to it.

    Raises:
        SelectionInvalid: It has no scheme or host, or has parts that K3s ignores.
    """
    try:
        endpoint = parse_endpoint(text)
    except EndpointInvalid as error:
        raise SelectionInvalid(f"--endpoint {error}") from None
    if "://" not in text or endpoint.scheme not in {"http", "https"}:
        raise SelectionInvalid(
            f"--endpoint {text} does not begin with http:// or https://: write one of them"
        )
    if not endpoint.host or endpoint.host.startswith(":"):
        raise SelectionInvalid(f"--endpoint {text} has no host: write http://HOST:PORT")
    if endpoint.user:
        raise SelectionInvalid("--endpoint must not contain a login: use --username")
    if endpoint.rest:
        raise SelectionInvalid(
            f"--endpoint {text} has a query or fragment: remove {endpoint.rest}"
        )
    return endpoint


def check_registry(text: str) -> str:
    """Check a registry's name, and return the one that the kubelet uses for it.

    Raises:
        SelectionInvalid: No image name begins with it.
    """
    if not is_host(text):
        raise SelectionInvalid(
            f"{text} is not a registry: write its host as in image names, such as "
            f"{DOCKER_HUB} or example.com:5000, without https:// and without a path"
        )
    # normalize.go in distribution/reference replaces this name.
    return DOCKER_HUB if text == "index.docker.io" else text


def check_path(text: str, option: str) -> str:
    """Check that a path does not depend on the working directory.

    Raises:
        SelectionInvalid: It does.
    """
    if not text.startswith("/"):
        raise SelectionInvalid(f"{option} {text} is read by K3s: write an absolute path")
    return text


def list_hosts(repositories: Iterable[str]) -> tuple[list[str], bool]:
    """List the registries whose names a tree keeps.

    Args:
        repositories: The paths of the tree's repositories.

    Returns:
        The hosts, sorted, and whether any repository is kept without its host.
    """
    firsts = [path.partition("/")[0] for path in repositories]
    hosts = {first for first in firsts if is_host(first)}
    return sorted(hosts), any(first not in hosts for first in firsts)


def shorten_endpoint(endpoint: MirrorEndpoint) -> str:
    """Return an endpoint without ``/v2``, which K3s appends itself."""
    path = endpoint.path if endpoint.overrides_path else ""
    return f"{endpoint.scheme}://{endpoint.host}{path}"
