"""Rules about what K3s and RKE2 are told beside ``registries.yaml``, and what they made of it."""

import re
from collections.abc import Iterator, Sequence

from minreg.k3s.doctor.findings import Addition, Edit, Finding
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.rules.catalog import (
    ARCHIVES,
    CONTAINERD_TEMPLATE,
    DEFAULT_ENDPOINT,
    DISCARD_LAYERS,
    OTHER_RUNTIME,
    RESTART,
    SYSTEM_REGISTRY,
)
from minreg.k3s.doctor.rules.mirrors import WILDCARD, names_default, parse_word
from minreg.k3s.yaml_reader import Located, Position
from minreg.node.units import ENDPOINT
from minreg.text import count, format_size

IMPORT_RATE = 77_000_000
"""Bytes of an archive that an import takes a second, all of it being there already.

Measured with ``ctr images import`` on a machine with two cores: 230 MB in 3.0 s.
"""

WORTH_SAVING = 100_000_000
"""Bytes of layers below which nobody need change containerd's settings."""

_SWITCH = "disable-default-registry-endpoint"
_BASE = re.compile(r"{{-?\s*template\s+\"base\"")
_VERSION = re.compile(r"^\s*version\s*=\s*(\d)", re.MULTILINE)
_DISCARDS = re.compile(r"^\s*discard_unpacked_layers\s*=\s*true", re.MULTILINE)


def check_restart(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """K3s has been started since its files were changed."""
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
            problem = f"it was changed after the last start of {title}, which reads it only then"
            yield Finding(RESTART, file.path, 0, problem, f"systemctl restart {unit}")


def check_default_endpoint(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Nobody is asked who cannot be reached."""
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
        f"an image that no endpoint has is asked for at {_defaults(names)} as well: without a "
        "network each such pull takes as long as it takes to give up, and the error that is "
        "shown is of that"
    )
    setting, path = setup.settings.setting(_SWITCH), setup.settings.path
    if not setting.values:
        addition = Addition(path, f"{_SWITCH}: true\n")
        yield Finding(DEFAULT_ENDPOINT, path, 0, problem, f"add {_SWITCH}: true", (addition,))
        return
    fix = f"write true for {_SWITCH}, which is {setting.text or 'empty'} here"
    behind_key = Position(setting.line, len(_SWITCH) + 2)
    is_in_file = setting.path in {file.path for file in setup.settings.files}
    edit = Edit(setting.path, behind_key, setting.text, "true")
    changes = (edit,) if is_in_file and setting.text else ()
    yield Finding(DEFAULT_ENDPOINT, setting.path, setting.line, problem, fix, changes)


def check_system_registry(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The registry of the system's own images is one that can be asked."""
    setting = setup.settings.setting("system-default-registry")
    registry = setting.text
    if not registry or setup.is_agent:
        return
    host = registry.partition("/")[0]
    if "://" in registry:
        problem = f"{registry} is no registry: images begin with a host, without a scheme"
        fix = f"write {registry.partition('://')[2]}"
        yield Finding(SYSTEM_REGISTRY, setting.path, setting.line, problem, fix)
        return
    if registry.endswith("/"):
        problem = (
            f"{registry} ends with a slash, and {setup.distribution.title} adds its own: "
            "no image can be called that"
        )
        fix = f"write {registry.rstrip('/')}"
        yield Finding(SYSTEM_REGISTRY, setting.path, setting.line, problem, fix)
        return
    mirrors = setup.registries.mirrors
    if {host, WILDCARD} & set(mirrors) or host in setup.registries.configs:
        return
    problem = (
        f"{setup.distribution.title} asks for all its own images at {host}, and no mirror is for "
        f"that: only https://{host} is asked"
    )
    entry = f'  {host}:\n    endpoint:\n      - "{ENDPOINT}"\n'
    addition = Addition(setup.registries_path, entry if mirrors else f"mirrors:\n{entry}")
    changes = (addition,) if not mirrors and not setup.registries.configs else ()
    fix = f"add a mirror {host} with the endpoint {ENDPOINT} to {setup.registries_path}"
    yield Finding(SYSTEM_REGISTRY, setting.path, setting.line, problem, fix, changes)


def check_template(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """A template for containerd's settings leaves those of registries in."""
    for template in setup.templates[:1]:
        if _BASE.search(template.text) or "config_path" in template.text:
            continue
        problem = "it stands for K3s' own template, and has no config_path: certs.d is not read"
        fix = 'begin it with {{ template "base" . }}, and leave out what that has already'
        yield Finding(CONTAINERD_TEMPLATE, template.path, 0, problem, fix)


def check_runtime(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """It is K3s' own containerd that runs, which ``registries.yaml`` is for.

    Source: K3s, ``startCRI`` in ``pkg/agent/run.go``.
    """
    docker = setup.settings.setting("docker")
    endpoint = setup.settings.setting("container-runtime-endpoint")
    if setup.registries_file is None or not (docker.is_true or endpoint.text):
        return
    name, setting = ("docker", docker) if docker.is_true else (endpoint.text, endpoint)
    problem = (
        f"{setup.distribution.title} is told to use {name}, and starts no containerd of its own: "
        f"{setup.registries_path} has no effect"
    )
    fix = "remove this setting, or name the mirrors in what that runtime reads itself"
    yield Finding(OTHER_RUNTIME, setting.path, setting.line, problem, fix)


def check_archives(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """What the registry serves is not imported as well."""
    if node.tree is None or not node.tree.repositories or setup.has_import_cache:
        return
    if not setup.archives:
        return
    size = sum(archive.size for archive in setup.archives)
    seconds = max(1, round(size / IMPORT_RATE))
    number = count(len(setup.archives), "archive")
    problem = (
        f"each start imports {number} of {format_size(size)} before the kubelet starts, which "
        f"takes at least {count(seconds, 'second')}; and the disk holds these images twice"
    )
    names = " ".join(archive.path for archive in setup.archives[:3])
    fix = f"minreg import -d {node.tree.root} {names}, and then move them away"
    yield Finding(ARCHIVES, f"{setup.data}/agent/images", 0, problem, fix)


def check_layers(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Containerd lets go of layers that it has unpacked."""
    layers = setup.layers
    if layers is None or layers.size < WORTH_SAVING or setup.has_embedded_registry:
        return
    files = (setup.containerd_config, *setup.templates, *setup.drop_ins)
    if any(_DISCARDS.search(file.text) for file in files if file is not None):
        return
    directory = f"{setup.data}/agent/etc/containerd"
    problem = (
        f"containerd keeps {count(layers.number, 'layer')} of {format_size(layers.size)} that it "
        "has unpacked; if one is needed again, the registry has it"
    )
    fix, changes = _discard(setup, directory)
    fix += "; what is there already goes with its images (k3s crictl rmi --prune)"
    yield Finding(DISCARD_LAYERS, directory, 0, problem, fix, changes)


def _defaults(names: Sequence[str]) -> str:
    """Name the default endpoints of mirrors, a few of them."""
    if WILDCARD in names:
        return "the registry that it names"
    parsed = (parse_word(Located(name)) for name in names)
    hosts = [f"{one.scheme}://{one.host}" for one in parsed if one is not None]
    return " or ".join(hosts[:3]) + (" and others" if len(hosts) > 3 else "")


def _discard(setup: K3sInstallation, directory: str) -> tuple[str, tuple[Addition, ...]]:
    """Say how containerd is told to let go of layers.

    A table of TOML must not be there twice, so that K3s' template cannot simply be added to;
    files that containerd 2 imports are merged, and those that containerd 1 imports are not.
    """
    config = setup.containerd_config.text if setup.containerd_config is not None else ""
    version = _VERSION.search(config)
    if version is not None and version[1] == "2":
        table = '[plugins."io.containerd.grpc.v1.cri".containerd]'
        return (
            f"copy {directory}/config.toml to {directory}/config.toml.tmpl, unless that is there, "
            f"and below {table} add discard_unpacked_layers = true"
        ), ()
    drop_ins = f"{directory}/config-v3.toml.d"
    table = "[plugins.'io.containerd.cri.v1.images']"
    text = f"version = 3\n\n{table}\n  discard_unpacked_layers = true\n"
    path = f"{drop_ins}/discard-layers.toml"
    is_there = any(file.path == path for file in setup.drop_ins)
    changes = [] if is_there else [Addition(path, text)]
    fix = f"set discard_unpacked_layers = true below {table} in {path}"
    line = f'imports = ["{drop_ins}/*.toml"]'
    if drop_ins not in "".join([config, *(file.text for file in setup.templates)]):
        fix += f", and have it imported: {directory}/config-v3.toml.tmpl begins with {line}"
        if not setup.templates:
            template = f'{line}\n{{{{ template "base" . }}}}\n'
            changes.append(Addition(f"{directory}/config-v3.toml.tmpl", template))
    return fix, tuple(changes)
