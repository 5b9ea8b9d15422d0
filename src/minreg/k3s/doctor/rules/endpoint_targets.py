"""Rules about what an endpoint leads to: whether a registry with these images is there."""

from collections.abc import Iterator, Mapping

from minreg.defaults import DEFAULT_PORT
from minreg.k3s.doctor.findings import Edit, Finding, LineRemoval
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import (
    ENDPOINT_INVALID,
    ENDPOINT_OTHER_REGISTRY,
    ENDPOINT_PATH,
)
from minreg.k3s.doctor.rules.mirrors import is_alone, iterate_valid_endpoints
from minreg.k3s.registries.mirror_endpoints import MirrorEndpoint, is_local, split_port
from minreg.k3s.registries.registries_yaml import Mirror
from minreg.k3s.yaml_reader import Located
from minreg.oci.names import DOCKER_HUB

_API = "v2"

# Hosts that people confuse with a registry, and the registry.
_WEBSITES: Mapping[str, str] = {
    "auth.docker.io": "registry-1.docker.io",
    "catalog.redhat.com": "registry.redhat.io",
    "docker.com": "registry-1.docker.io",
    "github.com": "ghcr.io",
    "gitlab.com": "registry.gitlab.com",
    "hub.docker.com": "registry-1.docker.io",
    "www.docker.com": "registry-1.docker.io",
}
# Public registries, each of which has only images of its own.
_PUBLIC = frozenset(
    {
        *(DOCKER_HUB, "gcr.io", "ghcr.io", "k8s.gcr.io", "lscr.io", "mcr.microsoft.com"),
        *("nvcr.io", "public.ecr.aws", "quay.io", "registry.access.redhat.com"),
        *("registry.gitlab.com", "registry.k8s.io", "registry.redhat.io", "registry.suse.com"),
    }
)
# Public registries that have, or redirect to, the images of another one.
_SAME_IMAGES = (frozenset({"k8s.gcr.io", "registry.k8s.io"}), frozenset({"ghcr.io", "lscr.io"}))


def check_endpoint_paths(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The path of an endpoint has a ``v2``: K3s adds none to a path.

    Source: K3s, ``normalizeEndpointAddress`` in ``pkg/agent/containerd/config.go``, which sets
    ``override_path`` for each path other than ``/`` and ``/v2``.
    """
    for mirror, located, endpoint in iterate_valid_endpoints(setup):
        if not endpoint.overrides_path:
            continue
        segments = [segment for segment in endpoint.path.split("/") if segment]
        is_minreg = leads_to_minreg(node, endpoint)
        if _API in (segments[:1] if is_minreg else segments):
            continue
        path = "/".join(["", *segments])
        problem = (
            f"the path of {located.text} replaces /v2: containerd requests "
            f"{path}/NAME/manifests/TAG, and gets 404"
        )
        url = f"{endpoint.scheme}://{endpoint.host}"
        changes: tuple[Edit, ...] = ()
        if is_minreg:
            fix = f"write {url}: containerd tells minreg which registry it means"
            changes = (Edit(setup.registries_path, located.position, located.text, url),)
        else:
            fix = _fix_path(mirror, url, "/".join(segments)) if segments else f"write {url}"
        line = located.position.line
        yield Finding(ENDPOINT_PATH, setup.registries_path, line, problem, fix, changes)


def check_endpoint_hosts(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """An endpoint is a registry, and none whose images have other names."""
    path = setup.registries_path
    for mirror, located, endpoint in iterate_valid_endpoints(setup):
        host, name = split_port(endpoint.host)[0].lower(), mirror.name.text.lower()
        if host in _WEBSITES:
            problem = f"{located.text} is a website: no image can be pulled from it"
            fix = f"remove it; the registry is https://{_WEBSITES[host]}"
            changes = _remove(setup, mirror, located)
            yield Finding(ENDPOINT_INVALID, path, located.position.line, problem, fix, changes)
            continue
        registry = endpoint.registry.lower()
        is_renamed = bool(mirror.rewrites) or endpoint.overrides_path
        if is_renamed or name == registry or not {name, registry} <= _PUBLIC:
            continue
        if frozenset({name, registry}) in _SAME_IMAGES:
            continue
        problem = (
            f"{located.text} has the images of {registry}, not those of {name}: it does not have "
            "them, or has others under the same names"
        )
        fix = f"remove it; images whose names begin with {registry}/ need a mirror {registry}"
        changes, line = _remove(setup, mirror, located), located.position.line
        yield Finding(ENDPOINT_OTHER_REGISTRY, path, line, problem, fix, changes)


def leads_to_minreg(node: Node, endpoint: MirrorEndpoint) -> bool:
    """Return whether an endpoint is minreg's, or would be if minreg were installed here."""
    if node.registry.addresses:
        return node.registry.address_for(endpoint.host) is not None
    return is_local(endpoint.host) and split_port(endpoint.host)[1] == str(DEFAULT_PORT)


def _fix_path(mirror: Mirror, url: str, prefix: str) -> str:
    """Return the fix for the endpoint of another registry, with a prefix of its repositories."""
    if mirror.rewrites:
        fix = f"write {url}, and begin the replacements of the rewrites with {prefix}/"
    else:
        fix = f'write {url}, and add to this mirror: rewrite: {{"^(.*)$": "{prefix}/$1"}}'
    return f"{fix}; or append /v2, if the whole registry is below this path"


def _remove(setup: K3sInstallation, mirror: Mirror, located: Located) -> tuple[LineRemoval, ...]:
    """Return the removal of an endpoint's line; none if it has more, or the mirror no other."""
    is_certain = len(mirror.endpoints) > 1 and is_alone(setup, located)
    return (LineRemoval(setup.registries_path, located.position.line),) if is_certain else ()
