"""Rules about ``mirrors``: their names, and the form of their endpoints."""

import re
from collections.abc import Iterator

from minreg.defaults import WILDCARD
from minreg.k3s.doctor.findings import Edit, Finding, LineRemoval
from minreg.k3s.doctor.image_resolution import read_list
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import (
    ENDPOINT_DEFAULT,
    ENDPOINT_ELSEWHERE,
    ENDPOINT_INVALID,
    ENDPOINT_SCHEME,
    MIRROR_NAME,
)
from minreg.k3s.registries.mirror_endpoints import (
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

_SCHEMES = frozenset({"http", "https"})
_DOCKER_HUB_NAMES = frozenset({DOCKER_HUB_API, "index.docker.io", "hub.docker.com"})
_PORTS = {"443": "https", "80": "http"}


def check_mirror_names(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The name of a mirror is a registry as in image names.

    containerd looks up the host of an image name in ``certs.d`` as it is written, with a
    difference between capital and small letters (``HostDirFromRoot`` in
    ``core/remotes/docker/config/hosts.go``).
    """
    used = {image.host for file in setup.lists for image in read_list(file)}
    for mirror in setup.registries.mirrors.values():
        name = mirror.name.text
        correct = registry_name(name).lower()
        is_ignored = not mirror.endpoints and not setup.has_embedded_registry
        if name == WILDCARD or is_ignored or mirror.is_anchor or name in used:
            continue
        if correct == name and is_host(name):
            continue
        if name.lower() == correct and is_host(name):
            problem = (
                f"image names begin with {correct}/, and containerd compares capital letters "
                "too: this mirror is never used"
            )
        else:
            problem = f"no image name begins with {name}/: this mirror is never used"
        changes: tuple[Edit, ...] = ()
        if correct != name and correct in setup.registries.mirrors:
            fix = f"remove it: there already is a mirror {correct}"
        elif correct != name and is_host(correct):
            fix = f"write {correct}"
            changes = (Edit(setup.registries_path, mirror.name.position, name, correct),)
        else:
            fix = "write the host of the registry, as in image names"
        line = mirror.name.position.line
        yield Finding(MIRROR_NAME, setup.registries_path, line, problem, fix, changes)


def check_endpoints(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """An endpoint is an address with the right scheme, and is not the default endpoint."""
    for mirror, located in iterate_endpoints(setup):
        try:
            endpoint = parse_endpoint(located.text)
        except EndpointInvalid as error:
            reason, _, fix = str(error).partition(": ")
            yield _invalid(setup, located, reason, fix)
            continue
        if not endpoint.host:
            reason = f"{located.text} has no host" if located.text else "this endpoint is empty"
            yield _invalid(setup, located, reason, "write http://HOST:PORT, or remove the line")
            continue
        name = endpoint.host.partition(":")[0]
        if name in _SCHEMES:
            reason = f"{located.text} has the host {name}"
            yield _invalid(setup, located, reason, "write http:// or https://, with both slashes")
            continue
        if endpoint.scheme not in _SCHEMES:
            reason = f"{located.text} has the scheme {endpoint.scheme}, which no registry uses"
            yield _invalid(setup, located, reason, "write http:// or https://")
            continue
        yield from _check_scheme(node, setup, located, endpoint)
        yield from _check_default(setup, mirror, located, endpoint)


def check_local_endpoints(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """If all endpoints are addresses of this node, one of them is minreg's."""
    endpoints = [
        (located, endpoint)
        for _, located in iterate_endpoints(setup)
        if (endpoint := try_parse_endpoint(located)) is not None and endpoint.scheme in _SCHEMES
    ]
    if not endpoints or not node.registry.addresses:
        return
    if any(
        not is_local(endpoint.host) or node.registry.address_for(endpoint.host) is not None
        for _, endpoint in endpoints
    ):
        return
    url, (first, _) = node.registry.addresses[0].url, endpoints[0]
    path, line = setup.registries_path, first.position.line
    problem = f"{first.text} is on this node, but minreg listens on {url}: it is never asked"
    changes = tuple(Edit(path, located.position, located.text, url) for located, _ in endpoints)
    yield Finding(ENDPOINT_ELSEWHERE, path, line, problem, f"write {url}", changes)


def check_named_endpoints(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """An http endpoint that image names begin with has a mirror of its own name."""
    plain = {
        endpoint.host: located
        for _, located in iterate_endpoints(setup)
        if (endpoint := try_parse_endpoint(located)) is not None and endpoint.scheme == "http"
    }
    named = {image.host: image for file in setup.lists for image in read_list(file)}
    for host in sorted(plain.keys() & named.keys() - setup.registries.mirrors.keys()):
        if parse_endpoint(host).scheme == "http":
            continue
        yield Finding(
            ENDPOINT_SCHEME,
            setup.registries_path,
            plain[host].position.line,
            f"{named[host]} is pulled by https, because {host} has no mirror of its own: http "
            "is used only for an endpoint of a mirror",
            f"add a mirror {host} with the endpoint http://{host}",
        )


def registry_name(name: str) -> str:
    """Return the registry that the name of a mirror seems to stand for."""
    host = name.partition("://")[2] or name
    host = host.partition("/")[0]
    return DOCKER_HUB if host in _DOCKER_HUB_NAMES else host


def try_parse_endpoint(located: Located) -> MirrorEndpoint | None:
    """Parse an endpoint; None if K3s ignores it."""
    try:
        return parse_endpoint(located.text)
    except EndpointInvalid:
        return None


def names_default(mirror: Mirror) -> bool:
    """Return whether a mirror lists the default endpoint of its registry."""
    default = try_parse_endpoint(mirror.name)
    endpoints = [try_parse_endpoint(located) for located in mirror.endpoints]
    return default is not None and str(default) in map(str, endpoints)


def iterate_endpoints(setup: K3sInstallation) -> Iterator[tuple[Mirror, Located]]:
    """Iterate over the endpoints of all mirrors."""
    for mirror in setup.registries.mirrors.values():
        for located in mirror.endpoints:
            yield mirror, located


def _invalid(setup: K3sInstallation, located: Located, reason: str, fix: str) -> Finding:
    path, line = setup.registries_path, located.position.line
    return Finding(ENDPOINT_INVALID, path, line, f"{reason}: no registry is asked", fix)


def _check_scheme(
    node: Node, setup: K3sInstallation, located: Located, endpoint: MirrorEndpoint
) -> Iterator[Finding]:
    """Compare the scheme with the one that the server uses, if that is known."""
    address = node.registry.address_for(endpoint.host)
    actual = _PORTS.get(split_port(endpoint.host)[1])
    if address is not None:
        actual = "https" if address.is_tls else "http"
    if actual is None or actual == endpoint.scheme:
        return
    server = "minreg" if address is not None else "that port"
    scheme = endpoint.scheme if "://" in located.text else f"{endpoint.scheme} by default"
    url = f"{actual}://{located.text.partition('://')[2] or located.text}"
    yield Finding(
        ENDPOINT_SCHEME,
        setup.registries_path,
        located.position.line,
        f"{located.text} means {scheme}, but {server} uses {actual}: each pull fails",
        f"write {url}",
        (Edit(setup.registries_path, located.position, located.text, url),),
    )


def _check_default(
    setup: K3sInstallation, mirror: Mirror, located: Located, endpoint: MirrorEndpoint
) -> Iterator[Finding]:
    """Find an endpoint that is the default endpoint, which is asked anyway."""
    switch = setup.settings.setting("disable-default-registry-endpoint")
    if mirror.name.text == WILDCARD or switch.is_true:
        return
    default = try_parse_endpoint(mirror.name)
    if default is None or str(default) != str(endpoint):
        return
    path, line = setup.registries_path, located.position.line
    if mirror.rewrites and located is mirror.endpoints[-1]:
        problem = (
            f"{located.text} is the default endpoint of {mirror.name.text}, "
            "to which rewrites do not apply: those of this mirror have no effect"
        )
        fix = f"write {endpoint.scheme}://{endpoint.host}/v2/, which is another endpoint to K3s"
        url = f"{endpoint.scheme}://{endpoint.host}/v2/"
        changes = (Edit(path, located.position, located.text, url),)
        yield Finding(ENDPOINT_DEFAULT, path, line, problem, fix, changes)
        return
    if not all(
        names_default(other) for other in setup.registries.mirrors.values() if other.endpoints
    ):
        # The rule default-endpoint advises to disable default endpoints. This one is then only
        # asked because it is listed.
        return
    problem = (
        f"{located.text} is the default endpoint of {mirror.name.text}, which is asked last "
        "anyway: it has no effect here"
    )
    if not is_alone(setup, located):
        fix = f"remove {located.text} from the list"
        yield Finding(ENDPOINT_DEFAULT, path, line, problem, fix)
        return
    removal = () if len(mirror.endpoints) == 1 else (LineRemoval(path, line),)
    yield Finding(ENDPOINT_DEFAULT, path, line, problem, "remove this line", removal)


def iterate_valid_endpoints(
    setup: K3sInstallation,
) -> Iterator[tuple[Mirror, Located, MirrorEndpoint]]:
    """Iterate over the endpoints of all mirrors that the rule endpoint-invalid accepts."""
    for mirror, located in iterate_endpoints(setup):
        endpoint = try_parse_endpoint(located)
        if endpoint is not None and endpoint.scheme in _SCHEMES and _has_name(endpoint):
            yield mirror, located, endpoint


def _has_name(endpoint: MirrorEndpoint) -> bool:
    """Return whether an endpoint has a host, and not a scheme in its place: ``http//host``."""
    return endpoint.host.partition(":")[0] not in {"", *_SCHEMES}


def is_alone(setup: K3sInstallation, located: Located) -> bool:
    """Return whether the line of a list item has nothing else but a comment."""
    lines = setup.registries_file.text.split("\n") if setup.registries_file is not None else []
    line = lines[located.position.line - 1] if located.position.line <= len(lines) else ""
    item = rf"\s*- +([\"']?){re.escape(located.text)}\1(\s+#.*)?\s*"
    return re.fullmatch(item, line) is not None
