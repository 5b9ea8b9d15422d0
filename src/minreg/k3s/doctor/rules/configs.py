"""Rules about ``configs``: whether they reach the endpoints that they are for."""

from collections.abc import Iterator, Mapping, Sequence

from minreg.k3s.doctor.findings import Edit, Finding
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.rules.catalog import CONFIG_NAME, TLS_ON_HTTP
from minreg.k3s.doctor.rules.mirrors import WILDCARD, parse_word, registry_name
from minreg.k3s.registries.endpoints import MirrorEndpoint, split_port
from minreg.k3s.registries.registries_yaml import TLS, Config


def check_config_names(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Settings have the name of an endpoint's host, or of a registry that has no mirror."""
    for config in setup.registries.configs.values():
        if config.auth is None and config.tls is None:
            continue
        name = config.name.text
        if name != WILDCARD and registry_name(name) != name and "/" in name:
            meant = registry_name(name)
            problem = f"{name} is no host: these settings are for nobody"
            yield _misnamed(setup, config, problem, [meant])
            continue
        wanting = [
            host for host in _wanting(setup, config) if host not in setup.registries.configs
        ]
        if not wanting:
            continue
        hosts = " and ".join(wanting)
        problem = (
            f"these settings are for {name} itself, and its images are asked for at {hosts}, "
            "to which they do not apply"
            if name in setup.registries.mirrors
            else f"these settings are for {name}, and the endpoint is {hosts}"
        )
        yield _misnamed(setup, config, problem, wanting)


def check_tls_use(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Settings for TLS are for endpoints that speak it."""
    for config in setup.registries.configs.values():
        if config.tls is None or not is_set(config.tls):
            continue
        endpoints = endpoints_at(setup, config.name.text)
        if not endpoints or any(endpoint.scheme != "http" for endpoint in endpoints):
            continue
        host = config.name.text
        if split_port(host)[1] == "80":
            effect = "they do nothing"
        else:
            effect = "containerd tries TLS there first, and plain http only when that has failed"
        yield Finding(
            TLS_ON_HTTP,
            setup.registries_path,
            config.name.position.line,
            f"{host} is spoken to by http, and has settings for TLS: {effect}",
            "remove the tls section, or write https in the endpoint if it speaks that",
        )


def endpoints_at(setup: K3sInstallation, host: str) -> Sequence[MirrorEndpoint]:
    """Give the endpoints of all mirrors that the settings for a host apply to."""
    return [endpoint for endpoint in _endpoints(setup).values() if endpoint.registry == host]


def is_set(tls: TLS) -> bool:
    """Tell whether anything is set at all."""
    words = (tls.ca_file, tls.cert_file, tls.key_file)
    return tls.insecure_skip_verify or any(word.text for word in words)


def _endpoints(setup: K3sInstallation) -> Mapping[str, MirrorEndpoint]:
    words = [word for mirror in setup.registries.mirrors.values() for word in mirror.endpoints]
    parsed = {word.text: parse_word(word) for word in words}
    return {text: endpoint for text, endpoint in parsed.items() if endpoint is not None}


def _wanting(setup: K3sInstallation, config: Config) -> list[str]:
    """Name the hosts that settings seem to be meant for, other than that which they name."""
    name = config.name.text
    if endpoints_at(setup, name):
        return []
    if name in setup.registries.mirrors:
        return _wanting_of_mirror(setup, config)
    is_port_missing = [
        endpoint.registry
        for endpoint in _endpoints(setup).values()
        if split_port(endpoint.registry)[0] == split_port(name)[0]
        and (config.tls is None or endpoint.scheme == "https" or config.auth is not None)
    ]
    return list(dict.fromkeys(is_port_missing))


def _wanting_of_mirror(setup: K3sInstallation, config: Config) -> list[str]:
    """Name the endpoints of a mirror that has settings, if those seem to be for endpoints.

    K3s keeps the default endpoint of a registry that has settings, whatever it is told, and
    sends a login there (``getHostConfigs`` in ``pkg/agent/containerd/config.go``). Settings for
    TLS alone may be for it too, but a mirror without any is the more likely mistake.
    """
    if config.auth is not None or config.tls is None or not is_set(config.tls):
        return []
    mirror = setup.registries.mirrors[config.name.text]
    endpoints = [endpoint for word in mirror.endpoints if (endpoint := parse_word(word))]
    hosts = [endpoint.registry for endpoint in endpoints if endpoint.scheme == "https"]
    return list(dict.fromkeys(hosts))


def _misnamed(
    setup: K3sInstallation, config: Config, problem: str, meant: Sequence[str]
) -> Finding:
    path, name = setup.registries_path, config.name
    changes: tuple[Edit, ...] = ()
    # A login goes to nobody else by a diff that is applied unread.
    if config.auth is None and len(meant) == 1 and meant[0] not in setup.registries.configs:
        changes = (Edit(path, name.position, name.text, meant[0]),)
    fix = f"name them {' and '.join(meant)}, as the endpoint is"
    return Finding(CONFIG_NAME, path, name.position.line, problem, fix, changes)
