"""What is to stand in a ``registries.yaml``, so that K3s pulls from minreg."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from minreg.k3s.registries.endpoints import (
    EndpointInvalid,
    MirrorEndpoint,
    is_local,
    parse_endpoint,
)
from minreg.k3s.registries.yaml_writer import Document
from minreg.oci.names import DOCKER_HUB, is_host

WILDCARD = "*"
"""The name that stands for all registries without an entry of their own."""


class ChoiceInvalid(ValueError):
    """Something that was asked for cannot be; the message says why, and the mend."""


@attrs.frozen
class MirrorSelection:
    """What was asked for.

    ``names`` are registries, ``endpoints`` those to ask for their images, in order; ``tls``
    are settings for endpoints with TLS, ``auth`` for all that are on other machines.
    """

    names: Sequence[str]
    endpoints: Sequence[MirrorEndpoint]
    tls: Mapping[str, str | bool] = attrs.field(factory=dict)
    auth: Mapping[str, str] = attrs.field(factory=dict)

    def document(self) -> Document:
        """Write it in K3s' terms: settings under the endpoints' own names.

        Raises:
            ChoiceInvalid: There are settings, and no endpoint that they could be for.
        """
        document: dict[str, Document] = {"mirrors": dict(self._mirrors())}
        configs = self._configs()
        if configs:
            document["configs"] = configs
        return document

    def _mirrors(self) -> Iterator[tuple[str, Document]]:
        for name in self.names:
            itself = str(parse_endpoint(name))
            # The registry itself is asked in any case, and last.
            urls = [written(one) for one in self.endpoints if str(one) != itself]
            if urls:
                yield name, {"endpoint": urls}

    def _configs(self) -> dict[str, Document]:
        configs: dict[str, dict[str, Document]] = {}
        for endpoint in self.endpoints:
            if self.auth and not is_local(endpoint.host):
                configs.setdefault(endpoint.registry, {})["auth"] = self.auth
            if self.tls and endpoint.scheme == "https":
                configs.setdefault(endpoint.registry, {})["tls"] = self.tls
        given = [("a login", "auth", self.auth), ("settings for TLS", "tls", self.tls)]
        for words, kind, settings in given:
            if settings and not any(kind in config for config in configs.values()):
                place = "https:// one" if kind == "tls" else "one on another machine"
                raise ChoiceInvalid(f"{words} are for endpoints: name the {place} with --endpoint")
        return dict(configs)


def check_endpoint(text: str) -> MirrorEndpoint:
    """Make sure that an endpoint means the same to K3s as to whoever named it.

    Raises:
        ChoiceInvalid: It does not.
    """
    try:
        endpoint = parse_endpoint(text)
    except EndpointInvalid as error:
        raise ChoiceInvalid(f"--endpoint {error}") from None
    if "://" not in text or endpoint.scheme not in {"http", "https"}:
        raise ChoiceInvalid(f"--endpoint {text} is neither http:// nor https://: write which")
    if not endpoint.host or endpoint.host.startswith(":"):
        raise ChoiceInvalid(f"--endpoint {text} has no host: write http://HOST:PORT")
    if endpoint.user:
        raise ChoiceInvalid("a login does not go into --endpoint: see --username")
    if endpoint.rest:
        raise ChoiceInvalid(f"--endpoint {text} has more than a path: leave {endpoint.rest} off")
    return endpoint


def check_registry(text: str) -> str:
    """Make sure that a registry's name is one by which K3s would know it, and give that.

    Raises:
        ChoiceInvalid: It is not.
    """
    if not is_host(text):
        raise ChoiceInvalid(
            f"{text} is no registry as in an image's name: write its host, such as "
            f"{DOCKER_HUB} or example.com:5000, without https:// and without a path"
        )
    # The kubelet calls it so, whatever a pod says (distribution/reference, normalize.go).
    return DOCKER_HUB if text == "index.docker.io" else text


def check_path(text: str, option: str) -> str:
    """Make sure that a file is the same for K3s, wherever that runs.

    Raises:
        ChoiceInvalid: It depends on the directory.
    """
    if not text.startswith("/"):
        raise ChoiceInvalid(f"{option} {text} must be a whole path, from / on: K3s reads it")
    return text


def hosts_of(places: Iterable[str]) -> tuple[list[str], bool]:
    """Name the registries whose names a tree keeps.

    Args:
        places: Those of its repositories.

    Returns:
        The hosts, sorted, and whether there are repositories that are kept without one.
    """
    firsts = [place.partition("/")[0] for place in places]
    hosts = {first for first in firsts if is_host(first)}
    return sorted(hosts), any(first not in hosts for first in firsts)


def written(endpoint: MirrorEndpoint) -> str:
    """Write an endpoint as short as it may be: K3s adds ``/v2`` itself."""
    path = endpoint.path if endpoint.overrides_path else ""
    return f"{endpoint.scheme}://{endpoint.host}{path}"
