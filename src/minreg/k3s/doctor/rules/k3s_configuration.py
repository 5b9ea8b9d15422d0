"""Rules about the settings of K3s and RKE2, and about the containerd that they run."""

import re
from collections.abc import Iterator, Sequence

from minreg.defaults import ENDPOINT, WILDCARD
from minreg.k3s.doctor.findings import Addition, Edit, Finding
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.k3s_settings import Setting
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import (
    AGENT_SETTING,
    ARCHIVES,
    CONTAINERD_TEMPLATE,
    DEFAULT_ENDPOINT,
    DISCARD_LAYERS,
    EMBEDDED_REGISTRY,
    OTHER_RUNTIME,
    RESTART,
    SYSTEM_REGISTRY,
)
from minreg.k3s.doctor.rules.mirrors import names_default, try_parse_endpoint
from minreg.k3s.registries.mirror_endpoints import is_local
from minreg.k3s.yaml_reader import Located, Position
from minreg.text import count, format_size

IMPORT_RATE = 77_000_000
"""Bytes per second that are imported from an archive whose content containerd already has.

Measured with ``ctr images import`` on a machine with two cores: 230 MB in 3.0 s.
"""

WORTH_SAVING = 100_000_000
"""The total size of layers, in bytes, above which a finding is worth reporting."""

_SWITCH = "disable-default-registry-endpoint"
_BASE = re.compile(r"{{-?\s*template\s+\"base\"")
_VERSION = re.compile(r"^\s*version\s*=\s*(\d)", re.MULTILINE)
_DISCARDS = re.compile(r"^\s*discard_unpacked_layers\s*=\s*true", re.MULTILINE)


def check_restart(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """K3s has been started since its configuration was changed."""
    started = setup.containerd_config
    if started is None:
        return
    files = list(setup.settings.files) if setup.is_known else []
    if setup.is_known and setup.registries_file is not None and not setup.is_applied:
        files.append(setup.registries_file)
    title = setup.distribution.title
    unit = setup.service.unit.name if setup.service is not None else setup.distribution.name
    for file in files:
        if file.modified > started.modified:
            problem = f"the file was changed after {title} was started, which reads it only then"
            yield Finding(RESTART, file.path, 0, problem, f"systemctl restart {unit}")


def check_default_endpoint(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Default endpoints, which an air-gapped node cannot reach, are disabled."""
    if setup.settings.setting(_SWITCH).is_true:
        return
    names = [
        mirror.name.text
        for mirror in setup.registries.mirrors.values()
        if mirror.endpoints and not names_default(mirror)
    ]
    if not names:
        return
    problem = (
        f"an image that no endpoint has is then requested from {_defaults(names)}: without a "
        "network that only takes time, and hides the error that says which image is missing"
    )
    setting, path = setup.settings.setting(_SWITCH), setup.settings.path
    if not setting.values:
        addition = Addition(path, f"{_SWITCH}: true\n")
        yield Finding(DEFAULT_ENDPOINT, path, 0, problem, f"add {_SWITCH}: true", (addition,))
        return
    fix = f"set {_SWITCH} to true: it is {setting.text or 'empty'} here"
    changes = _edit_setting(setup, setting, _SWITCH, "true")
    yield Finding(DEFAULT_ENDPOINT, setting.path, setting.line, problem, fix, changes)


def check_agent_settings(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The files of a K3s agent have no ``system-default-registry``, with which it does not start.

    RKE2 accepts the setting on agents, and ignores it. Source: rancher/rancher#45607.
    """
    name = "system-default-registry"
    setting = setup.settings.setting(name)
    is_in_file = setting.path in {file.path for file in setup.settings.files}
    if not setup.is_agent or setup.distribution.name != "k3s" or not is_in_file:
        return
    problem = (
        f"{setup.distribution.title} does not start as an agent: flag provided but not defined: "
        f"-{name}; it gets this setting from its server"
    )
    fix = f"remove {name}, or run minreg node install --start if minreg wrote this file"
    yield Finding(AGENT_SETTING, setting.path, setting.line, problem, fix)


def check_system_registry(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The ``system-default-registry`` is a registry, and has a mirror.

    RKE2 does not start unless it is a host, with or without a port (``NewResolver`` in
    ``pkg/images/images.go`` parses it as a registry's name); K3s also accepts a path.
    """
    setting = setup.settings.setting("system-default-registry")
    registry = setting.text
    if not registry or setup.is_agent:
        return
    host = registry.partition("/")[0]
    if "://" in registry:
        problem = f"{registry} is not a registry: image names begin with a host, without a scheme"
        fix = f"write {registry.partition('://')[2]}"
        yield Finding(SYSTEM_REGISTRY, setting.path, setting.line, problem, fix)
        return
    if registry.endswith("/"):
        problem = (
            f"{registry} ends with a slash, and {setup.distribution.title} appends another one: "
            "no image name is then valid"
        )
        fix = f"write {registry.rstrip('/')}"
        yield Finding(SYSTEM_REGISTRY, setting.path, setting.line, problem, fix)
        return
    if setup.distribution.name == "rke2" and host != registry:
        yield _with_path(setup, setting, host)
        return
    mirrors = setup.registries.mirrors
    if {host, WILDCARD} & set(mirrors) or host in setup.registries.configs:
        return
    problem = (
        f"{setup.distribution.title} pulls all its system images from {host}, which has no "
        f"mirror: only https://{host} is asked"
    )
    entry = f'  {host}:\n    endpoint:\n      - "{ENDPOINT}"\n'
    addition = Addition(setup.registries_path, entry if mirrors else f"mirrors:\n{entry}")
    changes = (addition,) if not mirrors and not setup.registries.configs else ()
    fix = f"add a mirror {host} with the endpoint {ENDPOINT} to {setup.registries_path}"
    yield Finding(SYSTEM_REGISTRY, setting.path, setting.line, problem, fix, changes)


def _with_path(setup: K3sInstallation, setting: Setting, host: str) -> Finding:
    """Report a system registry with a path, which RKE2 refuses."""
    problem = (
        f"RKE2 does not start with {setting.text}: registries must be valid RFC 3986 URI "
        "authorities, which have no path"
    )
    prefix = setting.text.partition("/")[2]
    fix = (
        f"write {host}; if the images there are below {prefix}/, add to its mirror: "
        f'rewrite: {{"^(.*)$": "{prefix}/$1"}}'
    )
    changes = _edit_setting(setup, setting, "system-default-registry", host)
    return Finding(SYSTEM_REGISTRY, setting.path, setting.line, problem, fix, changes)


def _edit_setting(
    setup: K3sInstallation, setting: Setting, name: str, new: str
) -> tuple[Edit, ...]:
    """Return the edit of a setting's value; none if it is not set in a file, or is empty."""
    if setting.path not in {file.path for file in setup.settings.files} or not setting.text:
        return ()
    behind_key = Position(setting.line, len(name) + 2)
    return (Edit(setting.path, behind_key, setting.text, new),)


def check_template(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """A template for containerd's configuration includes the directory of ``hosts.toml`` files."""
    for template in setup.templates[:1]:
        if _BASE.search(template.text) or "config_path" in template.text:
            continue
        problem = "it replaces K3s' own template, but has no config_path: certs.d is not read"
        fix = 'begin it with {{ template "base" . }}, and remove what that already contains'
        yield Finding(CONTAINERD_TEMPLATE, template.path, 0, problem, fix)


def check_embedded_registry(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The embedded registry has registries whose images it distributes.

    Source: K3s, ``Config.Start`` in ``pkg/spegel/spegel.go``, which ignores mirrors of this node.
    """
    name = "embedded-registry"
    setting = setup.settings.setting(name)
    if not setup.has_embedded_registry or not all(map(is_local, setup.registries.mirrors)):
        return
    problem = (
        f"{setup.distribution.title} starts its embedded registry only if registries.yaml has "
        "mirrors, and distributes only the images of these registries"
    )
    fix = f'add the registries to {setup.registries_path}, such as mirrors: {{"*": {{}}}}'
    yield Finding(
        EMBEDDED_REGISTRY, setting.path, setting.line, problem, f"{fix}, or remove {name}"
    )


def check_runtime(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """K3s uses its own containerd, which ``registries.yaml`` is for.

    Source: K3s, ``startCRI`` in ``pkg/agent/run.go``.
    """
    docker = setup.settings.setting("docker")
    endpoint = setup.settings.setting("container-runtime-endpoint")
    if setup.registries_file is None or not (docker.is_true or endpoint.text):
        return
    name, setting = ("docker", docker) if docker.is_true else (endpoint.text, endpoint)
    problem = (
        f"{setup.distribution.title} is configured to use {name} instead of its own containerd: "
        f"{setup.registries_path} has no effect"
    )
    fix = "remove this setting, or configure the mirrors in that runtime"
    yield Finding(OTHER_RUNTIME, setting.path, setting.line, problem, fix)


def check_archives(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Images that minreg serves are not also imported from archives."""
    if node.tree is None or not node.tree.repositories or setup.has_import_cache:
        return
    if not setup.archives:
        return
    size = sum(archive.size for archive in setup.archives)
    seconds = max(1, round(size / IMPORT_RATE))
    number = count(len(setup.archives), "archive")
    problem = (
        f"each start imports {number} of {format_size(size)} before the kubelet starts, which "
        f"takes at least {count(seconds, 'second')}; and these images are on the disk twice"
    )
    names = " ".join(archive.path for archive in setup.archives[:3])
    fix = f"minreg import -d {node.tree.root} {names}; then move the archives away"
    yield Finding(ARCHIVES, f"{setup.data}/agent/images", 0, problem, fix)


def check_layers(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Containerd discards layers that it has unpacked."""
    layers = setup.layers
    if layers is None or layers.size < WORTH_SAVING or setup.has_embedded_registry:
        return
    files = (setup.containerd_config, *setup.templates, *setup.drop_ins)
    if any(_DISCARDS.search(file.text) for file in files if file is not None):
        return
    directory = f"{setup.data}/agent/etc/containerd"
    problem = (
        f"containerd keeps {count(layers.number, 'layer')} of {format_size(layers.size)} that it "
        "has already unpacked, and could pull again from minreg"
    )
    fix, changes = _discard(setup, directory)
    fix += "; existing layers are deleted with their images (k3s crictl rmi --prune)"
    yield Finding(DISCARD_LAYERS, directory, 0, problem, fix, changes)


def _defaults(names: Sequence[str]) -> str:
    """Name the first few default endpoints of mirrors."""
    if WILDCARD in names:
        return "the registry in its name"
    parsed = (try_parse_endpoint(Located(name)) for name in names)
    hosts = [f"{endpoint.scheme}://{endpoint.host}" for endpoint in parsed if endpoint is not None]
    return " or ".join(hosts[:3]) + (" and others" if len(hosts) > 3 else "")


def _discard(setup: K3sInstallation, directory: str) -> tuple[str, tuple[Addition, ...]]:
    """Return the fix that makes containerd discard layers, and its changes.

    A table must not be in a TOML file twice, so nothing can be appended to K3s' template.
    containerd 2 merges imported files table by table; containerd 1 does not.
    """
    config = setup.containerd_config.text if setup.containerd_config is not None else ""
    version = _VERSION.search(config)
    if version is not None and version[1] == "2":
        table = '[plugins."io.containerd.grpc.v1.cri".containerd]'
        return (
            f"copy {directory}/config.toml to {directory}/config.toml.tmpl, unless that exists, "
            f"and add discard_unpacked_layers = true below {table}"
        ), ()
    drop_ins = f"{directory}/config-v3.toml.d"
    table = "[plugins.'io.containerd.cri.v1.images']"
    text = f"version = 3\n\n{table}\n  discard_unpacked_layers = true\n"
    path = f"{drop_ins}/discard-layers.toml"
    exists = any(file.path == path for file in setup.drop_ins)
    changes = [] if exists else [Addition(path, text)]
    fix = f"set discard_unpacked_layers = true below {table} in {path}"
    line = f'imports = ["{drop_ins}/*.toml"]'
    if drop_ins not in "".join([config, *(file.text for file in setup.templates)]):
        fix += f", and import it: begin {directory}/config-v3.toml.tmpl with {line}"
        if not setup.templates:
            template = f'{line}\n{{{{ template "base" . }}}}\n'
            changes.append(Addition(f"{directory}/config-v3.toml.tmpl", template))
    return fix, tuple(changes)
