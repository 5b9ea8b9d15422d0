"""Rules about ``configs``: whether the settings apply to the endpoints that need them."""

import base64
from collections.abc import Iterator, Mapping, Sequence

from minreg.defaults import WILDCARD
from minreg.k3s.doctor.findings import Edit, Finding
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import CONFIG_NAME, LOGIN_INVALID, LOGIN_NAME, TLS_ON_HTTP
from minreg.k3s.doctor.rules.endpoint_targets import leads_to_minreg
from minreg.k3s.doctor.rules.mirrors import registry_name, try_parse_endpoint
from minreg.k3s.registries.mirror_endpoints import MirrorEndpoint, split_port
from minreg.k3s.registries.registries_yaml import TLS, Config, Mirror


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


def check_logins(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """A login is under the host that needs it.

    containerd looks up logins by the host of an endpoint (``PullImage`` in
    ``internal/cri/server/images/image_pull.go``), so one for ``*`` is never used
    (k3s-io/docs#359). K3s asks a registry with an entry in ``configs`` even with
    ``disable-default-registry-endpoint`` (``getHostConfigs`` in
    ``pkg/agent/containerd/config.go``).
    """
    configs, mirrors = setup.registries.configs, setup.registries.mirrors
    for config in configs.values():
        name, line = config.name.text, config.name.position.line
        if config.auth is None or "/" in name or endpoints_at(setup, name):
            continue
        hosts = _list_hosts(node, mirrors[name]) if name in mirrors else []
        logins = {host for host in hosts if host in configs and configs[host].auth is not None}
        endpoint = " and ".join(hosts)
        if name == WILDCARD:
            problem = "containerd looks up logins by host: one for * is not sent to any registry"
            fix = f"move it to {endpoint or 'the hosts that need it'}"
            yield Finding(LOGIN_NAME, setup.registries_path, line, problem, fix)
            continue
        if not hosts or logins:
            continue
        problem = f"this login is sent to {name} only, and its images are pulled from {endpoint}"
        if setup.settings.setting("disable-default-registry-endpoint").is_true:
            problem += f"; because of it, {name} is asked although default endpoints are disabled"
        fix = f"move it to {endpoint}, the host of the endpoint, unless it is for {name} itself"
        yield Finding(LOGIN_NAME, setup.registries_path, line, problem, fix)


def _list_hosts(node: Node, mirror: Mirror) -> Sequence[str]:
    """List the hosts of a mirror's endpoints, without minreg, which needs no login."""
    hosts = [
        endpoint.registry
        for endpoint in _parse_endpoints(mirror)
        if endpoint.scheme in {"http", "https"} and not leads_to_minreg(node, endpoint)
    ]
    return list(dict.fromkeys(hosts))


def check_login_form(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """A login in ``auth`` is the Base64 of a user name, a colon and a password.

    It counts only without ``username`` and ``identity_token`` (``ParseAuth`` in containerd,
    ``internal/cri/server/images/image_pull.go``). The finding does not repeat the login.
    """
    for config in setup.registries.configs.values():
        auth = config.auth
        if auth is None or auth.username.text or auth.identity_token.text or not auth.auth.text:
            continue
        try:
            decoded = base64.b64decode(auth.auth.text, validate=True)
        except ValueError:
            decoded = b""
        if b":" in decoded:
            continue
        problem = f"the auth of {config.name.text} is not USER:PASSWORD in Base64: each pull fails"
        fix = "write username and password instead"
        line = auth.auth.position.line
        yield Finding(LOGIN_INVALID, setup.registries_path, line, problem, fix)


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
    # K3s compares hosts letter by letter, and HTTP does not: another case is the same host.
    same_name = [
        endpoint.registry
        for endpoint in _endpoints(setup).values()
        if split_port(endpoint.registry)[0].lower() == split_port(name)[0].lower()
        and (config.tls is None or endpoint.scheme == "https" or config.auth is not None)
    ]
    return list(dict.fromkeys(same_name))


def _hosts_of_mirror(setup: K3sInstallation, config: Config) -> list[str]:
    """List the https endpoints of a mirror with settings, if these seem to be for the endpoints.

    TLS settings may be for the registry itself too, but it is more likely that they were intended
    for the endpoints. With a login, they are left to ``check_logins``.
    """
    if config.auth is not None or config.tls is None or not is_set(config.tls):
        return []
    mirror = setup.registries.mirrors[config.name.text]
    hosts = [
        endpoint.registry for endpoint in _parse_endpoints(mirror) if endpoint.scheme == "https"
    ]
    return list(dict.fromkeys(hosts))


def _parse_endpoints(mirror: Mirror) -> Sequence[MirrorEndpoint]:
    """Parse the endpoints of a mirror, without those that K3s ignores."""
    parsed = map(try_parse_endpoint, mirror.endpoints)
    return [endpoint for endpoint in parsed if endpoint is not None]


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
