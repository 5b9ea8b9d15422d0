"""Rules about ``configs``: whether the settings apply to the endpoints that need them."""

from collections.abc import Iterator, Mapping, Sequence

from minreg.defaults import WILDCARD
from minreg.k3s.doctor.findings import Edit, Finding
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import CONFIG_NAME, TLS_ON_HTTP
from minreg.k3s.doctor.rules.mirrors import registry_name, try_parse_endpoint
from minreg.k3s.registries.mirror_endpoints import MirrorEndpoint, split_port
from minreg.k3s.registries.registries_yaml import TLS, Config


def check_config_names(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Settings are under the host of an endpoint, or of a registry without a mirror."""
    for config in setup.registries.configs.values():
        if config.auth is None and config.tls is None:
            continue
        name = config.name.text
        if name != WILDCARD and registry_name(name) != name and "/" in name:
            problem = f"{name} is not a host: these settings apply to nothing"
            yield _misnamed(setup, config, problem, [registry_name(name)])
            continue
        intended = [
            host for host in _intended_hosts(setup, config) if host not in setup.registries.configs
        ]
        if not intended:
            continue
        hosts = " and ".join(intended)
        problem = (
            f"these settings apply to {name} itself, but its images are pulled from {hosts}"
            if name in setup.registries.mirrors
            else f"these settings apply to {name}, but the endpoint is {hosts}"
        )
        yield _misnamed(setup, config, problem, intended)


def check_tls_use(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """TLS settings are for https endpoints."""
    for config in setup.registries.configs.values():
        if config.tls is None or not is_set(config.tls):
            continue
        endpoints = endpoints_at(setup, config.name.text)
        if not endpoints or any(endpoint.scheme != "http" for endpoint in endpoints):
            continue
        host = config.name.text
        if split_port(host)[1] == "80":
            effect = "they have no effect"
        else:
            effect = "containerd tries https there first, and http only after that has failed"
        yield Finding(
            TLS_ON_HTTP,
            setup.registries_path,
            config.name.position.line,
            f"{host} is an http endpoint with TLS settings: {effect}",
            "remove the tls section, or write https in the endpoint if the server supports TLS",
        )


def endpoints_at(setup: K3sInstallation, host: str) -> Sequence[MirrorEndpoint]:
    """List the endpoints of all mirrors that the settings for a host apply to."""
    return [endpoint for endpoint in _endpoints(setup).values() if endpoint.registry == host]


def is_set(tls: TLS) -> bool:
    """Return whether any TLS setting has a value."""
    paths = (tls.ca_file, tls.cert_file, tls.key_file)
    return tls.insecure_skip_verify or any(path.text for path in paths)


def _endpoints(setup: K3sInstallation) -> Mapping[str, MirrorEndpoint]:
    parsed = {
        located.text: try_parse_endpoint(located)
        for mirror in setup.registries.mirrors.values()
        for located in mirror.endpoints
    }
    return {text: endpoint for text, endpoint in parsed.items() if endpoint is not None}


def _intended_hosts(setup: K3sInstallation, config: Config) -> list[str]:
    """List the hosts that settings seem to be intended for, other than the one they are under."""
    name = config.name.text
    if endpoints_at(setup, name):
        return []
    if name in setup.registries.mirrors:
        return _hosts_of_mirror(setup, config)
    same_name = [
        endpoint.registry
        for endpoint in _endpoints(setup).values()
        if split_port(endpoint.registry)[0] == split_port(name)[0]
        and (config.tls is None or endpoint.scheme == "https" or config.auth is not None)
    ]
    return list(dict.fromkeys(same_name))


def _hosts_of_mirror(setup: K3sInstallation, config: Config) -> list[str]:
    """List the https endpoints of a mirror with settings, if these seem to be for the endpoints.

    K3s sends a login to the registry itself, which it asks even with
    ``disable-default-registry-endpoint`` if ``configs`` has an entry for it (``getHostConfigs`` in
    ``pkg/agent/containerd/config.go``). TLS settings may be for the registry itself too, but it is
    more likely that they were intended for the endpoints.
    """
    if config.auth is not None or config.tls is None or not is_set(config.tls):
        return []
    mirror = setup.registries.mirrors[config.name.text]
    endpoints = [
        endpoint for located in mirror.endpoints if (endpoint := try_parse_endpoint(located))
    ]
    hosts = [endpoint.registry for endpoint in endpoints if endpoint.scheme == "https"]
    return list(dict.fromkeys(hosts))


def _misnamed(
    setup: K3sInstallation, config: Config, problem: str, intended: Sequence[str]
) -> Finding:
    path, name = setup.registries_path, config.name
    changes: tuple[Edit, ...] = ()
    # A patch that is applied without reading must not send a login to another host.
    if config.auth is None and len(intended) == 1 and intended[0] not in setup.registries.configs:
        changes = (Edit(path, name.position, name.text, intended[0]),)
    fix = f"move them to {' and '.join(intended)}, the host of the endpoint"
    return Finding(CONFIG_NAME, path, name.position.line, problem, fix, changes)
