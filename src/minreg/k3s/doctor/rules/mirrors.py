"""Rules about ``mirrors``: what they are called, and where they lead."""

import re
from collections.abc import Iterator

from minreg.k3s.doctor.findings import Edit, Finding, LineRemoval
from minreg.k3s.doctor.images import read_list
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.rules.catalog import (
    ENDPOINT_DEFAULT,
    ENDPOINT_ELSEWHERE,
    ENDPOINT_INVALID,
    ENDPOINT_SCHEME,
    MIRROR_NAME,
)
from minreg.k3s.registries.endpoints import (
    DOCKER_HUB_API,
    EndpointInvalid,
    MirrorEndpoint,
    is_local,
    parse_endpoint,
    split_port,
)
from minreg.k3s.registries.registries_yaml import Mirror
from minreg.k3s.yaml_reader import Located
from minreg.oci.names import DOCKER_HUB, is_host

WILDCARD = "*"

_SCHEMES = frozenset({"http", "https"})
_PORTS = {"443": "https", "80": "http"}


def check_mirror_names(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """A mirror has the name of a registry, as images have it."""
    for mirror in setup.registries.mirrors.values():
        name = mirror.name.text
        meant = registry_name(name)
        if name == WILDCARD or not mirror.endpoints or (meant == name and is_host(name)):
            continue
        problem = f"no image belongs to a registry {name}: this mirror is never asked"
        changes: tuple[Edit, ...] = ()
        if meant != name and meant in setup.registries.mirrors:
            fix = f"remove it: there is a mirror {meant} already"
        elif meant != name and is_host(meant):
            fix = f"write {meant}"
            changes = (Edit(setup.registries_path, mirror.name.position, name, meant),)
        else:
            fix = "write the registry's host, as images begin with it"
        line = mirror.name.position.line
        yield Finding(MIRROR_NAME, setup.registries_path, line, problem, fix, changes)


def check_endpoints(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """An endpoint is an address, and leads to somebody else than would be asked anyway."""
    for mirror, word in _endpoint_words(setup):
        try:
            endpoint = parse_endpoint(word.text)
        except EndpointInvalid as error:
            what, _, fix = str(error).partition(": ")
            yield _invalid(setup, word, what, fix)
            continue
        if not endpoint.host:
            what = f"{word.text} names no host" if word.text else "this endpoint is empty"
            yield _invalid(setup, word, what, "write http://HOST:PORT, or remove the line")
            continue
        name = endpoint.host.partition(":")[0]
        if name in _SCHEMES:
            what = f"{word.text} names {name} as its host"
            yield _invalid(setup, word, what, "write http:// or https://, with both slashes")
            continue
        if endpoint.scheme not in _SCHEMES:
            what = f"{word.text} is spoken to by {endpoint.scheme}, which no registry does"
            yield _invalid(setup, word, what, "write http:// or https://")
            continue
        yield from _check_scheme(node, setup, word, endpoint)
        yield from _check_default(setup, mirror, word, endpoint)


def check_whereabouts(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Of endpoints on this node, which has a registry of its own, one is that registry."""
    words = [
        (word, endpoint)
        for _, word in _endpoint_words(setup)
        if (endpoint := parse_word(word)) is not None and endpoint.scheme in _SCHEMES
    ]
    if not words or not node.registry.addresses:
        return
    if any(
        not is_local(endpoint.host) or node.registry.address_for(endpoint.host) is not None
        for _, endpoint in words
    ):
        return
    url, (first, _) = node.registry.addresses[0].url, words[0]
    path, line = setup.registries_path, first.position.line
    problem = f"{first.text} is on this node, and minreg listens at {url}: it is never asked"
    changes = tuple(Edit(path, word.position, word.text, url) for word, _ in words)
    yield Finding(ENDPOINT_ELSEWHERE, path, line, problem, f"write {url}", changes)


def check_named_endpoints(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Images that name an endpoint themselves are asked for as that endpoint wants it."""
    plain = {
        endpoint.host: (word, endpoint)
        for _, word in _endpoint_words(setup)
        if (endpoint := parse_word(word)) is not None and endpoint.scheme == "http"
    }
    named = {image.host: image for file in setup.lists for image in read_list(file)}
    for host in sorted(plain.keys() & named.keys() - setup.registries.mirrors.keys()):
        word, _ = plain[host]
        if parse_endpoint(host).scheme == "http":
            continue
        yield Finding(
            ENDPOINT_SCHEME,
            setup.registries_path,
            word.position.line,
            f"{named[host]} is asked for by https, as {host} has no mirror of its own, and only "
            f"as a mirror of another is it spoken to by http",
            f"add a mirror {host} with the endpoint http://{host}",
        )


def registry_name(name: str) -> str:
    """Work out which registry a mirror is meant to be for."""
    host = name.partition("://")[2] or name
    host = host.partition("/")[0]
    return DOCKER_HUB if host in {DOCKER_HUB_API, "index.docker.io"} else host


def parse_word(word: Located) -> MirrorEndpoint | None:
    """Read an endpoint; None if K3s leaves it out."""
    try:
        return parse_endpoint(word.text)
    except EndpointInvalid:
        return None


def names_default(mirror: Mirror) -> bool:
    """Tell whether a mirror names the default endpoint itself."""
    default = parse_word(mirror.name)
    endpoints = [parse_word(word) for word in mirror.endpoints]
    return default is not None and str(default) in map(str, endpoints)


def _endpoint_words(setup: K3sInstallation) -> Iterator[tuple[Mirror, Located]]:
    for mirror in setup.registries.mirrors.values():
        for word in mirror.endpoints:
            yield mirror, word


def _invalid(setup: K3sInstallation, word: Located, what: str, fix: str) -> Finding:
    path, line = setup.registries_path, word.position.line
    return Finding(ENDPOINT_INVALID, path, line, f"{what}: nobody is asked by it", fix)


def _check_scheme(
    node: Node, setup: K3sInstallation, word: Located, endpoint: MirrorEndpoint
) -> Iterator[Finding]:
    """Compare the scheme with what is spoken there, where that is known."""
    address = node.registry.address_for(endpoint.host)
    spoken = _PORTS.get(split_port(endpoint.host)[1])
    if address is not None:
        spoken = "https" if address.is_tls else "http"
    if spoken is None or spoken == endpoint.scheme:
        return
    who = "minreg" if address is not None else "that port"
    scheme = endpoint.scheme if "://" in word.text else f"{endpoint.scheme}, as no scheme is named"
    url = f"{spoken}://{word.text.partition('://')[2] or word.text}"
    yield Finding(
        ENDPOINT_SCHEME,
        setup.registries_path,
        word.position.line,
        f"{word.text} is spoken to by {scheme}, and {who} speaks {spoken}: each pull fails here",
        f"write {url}",
        (Edit(setup.registries_path, word.position, word.text, url),),
    )


def _check_default(
    setup: K3sInstallation, mirror: Mirror, word: Located, endpoint: MirrorEndpoint
) -> Iterator[Finding]:
    """Look for an endpoint that is asked anyway, unless that was switched off."""
    switch = setup.settings.setting("disable-default-registry-endpoint")
    if mirror.name.text == WILDCARD or switch.is_true:
        return
    default = parse_word(mirror.name)
    if default is None or str(default) != str(endpoint):
        return
    path, line = setup.registries_path, word.position.line
    if mirror.rewrites and word is mirror.endpoints[-1]:
        problem = (
            f"{word.text} is the default endpoint of {mirror.name.text}, "
            "where rewrites are not applied: those of this mirror have no effect"
        )
        fix = f"write {endpoint.scheme}://{endpoint.host}/v2/, which counts as another endpoint"
        url = f"{endpoint.scheme}://{endpoint.host}/v2/"
        changes = (Edit(path, word.position, word.text, url),)
        yield Finding(ENDPOINT_DEFAULT, path, line, problem, fix, changes)
        return
    if not all(names_default(one) for one in setup.registries.mirrors.values() if one.endpoints):
        # The other mirrors want it switched off, and then this is how to have it asked.
        return
    problem = (
        f"{word.text} is the default endpoint of {mirror.name.text}, which is asked last anyway: "
        "it does nothing here"
    )
    if not _is_alone(setup, word):
        fix = f"remove {word.text} from the list"
        yield Finding(ENDPOINT_DEFAULT, path, line, problem, fix)
        return
    removal = () if len(mirror.endpoints) == 1 else (LineRemoval(path, line),)
    yield Finding(ENDPOINT_DEFAULT, path, line, problem, "remove this line", removal)


def _is_alone(setup: K3sInstallation, word: Located) -> bool:
    """Tell whether a line has an item of a list and nothing else but a comment."""
    lines = setup.registries_file.text.split("\n") if setup.registries_file is not None else []
    line = lines[word.position.line - 1] if word.position.line <= len(lines) else ""
    item = rf"\s*- +([\"']?){re.escape(word.text)}\1(\s+#.*)?\s*"
    return re.fullmatch(item, line) is not None
