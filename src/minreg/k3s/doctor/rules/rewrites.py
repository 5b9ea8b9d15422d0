"""Rules about ``rewrite``, and about the ``hosts.toml`` files that K3s writes them into."""

import re
import tomllib
from collections.abc import Iterator

from minreg.defaults import WILDCARD
from minreg.k3s.doctor.findings import Edit, Finding
from minreg.k3s.doctor.image_resolution import list_required_images
from minreg.k3s.doctor.installation import K3sInstallation, is_generated
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import (
    HOSTS_INVALID,
    REWRITE_GROUP,
    REWRITE_SYNTAX,
    REWRITE_UNUSED,
)
from minreg.k3s.doctor.rules.mirrors import try_parse_endpoint
from minreg.k3s.registries.certs_d import DEFAULT_DIRECTORY
from minreg.k3s.registries.go_regexp import GoPattern, PatternInvalid, PatternNotChecked
from minreg.k3s.registries.hosts_toml import HostsInvalid, parse_hosts
from minreg.k3s.registries.registries_yaml import Mirror, Rewrite
from minreg.k3s.yaml_reader import Located

_FIRST_GROUP = frozenset({"$1", "${1}"})
_ANYTHING = re.compile(r"(?<!\\)\.[*+]\??")
# Escapes that can be written as a character class, which TOML leaves alone.
_ESCAPE = re.compile(r"\\([.+*?()|{}$/_-]|[dw])")
_CLASSES = {"d": "[0-9]", "w": "[0-9A-Za-z_]"}


def check_rewrites(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """A rewrite is a regular expression of Go, has the groups that it uses, and has an effect."""
    for mirror in setup.registries.mirrors.values():
        for rewrite in mirror.rewrites:
            if not _is_toml(rewrite):
                continue
            try:
                pattern = GoPattern.compile(rewrite.pattern.text)
            except PatternNotChecked:
                return
            except PatternInvalid as error:
                problem = f"{error}: containerd ignores this rewrite, and logs that"
                fix = "write another pattern: Go has neither (?! nor (?= nor references to groups"
                line = rewrite.pattern.position.line
                yield Finding(REWRITE_SYNTAX, setup.registries_path, line, problem, fix)
                continue
            missing = pattern.missing_groups(rewrite.replacement.text)
            if missing:
                yield _missing_group(setup, rewrite, missing[0])
            elif _is_unused(node, setup, mirror, pattern):
                yield _unused(node, setup, rewrite)


def check_hosts(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Each ``hosts.toml`` is valid, including those that K3s will write at its next start."""
    for name, text in sorted(setup.containerd().files.items()):
        registry = WILDCARD if name == DEFAULT_DIRECTORY else name
        try:
            parse_hosts(text, registry, is_of_k3s=True)
        except HostsInvalid as error:
            path = f"{setup.certs_d}/{name}/hosts.toml"
            effect = f"containerd ignores the file, and asks only {_default(registry)}"
            if is_generated(text):
                yield _invalid_generated(setup, registry, path, effect)
            else:
                fix = "correct the file: see docs/hosts.md of containerd"
                yield Finding(HOSTS_INVALID, path, 0, f"{error}; {effect}", fix)


def check_host_directories(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The entries of ``certs.d`` for registries are directories.

    containerd fails if it cannot read ``hosts.toml`` in an entry that exists (``loadHostDir`` in
    ``core/remotes/docker/config/hosts.go``). K3s replaces the entries of its own registries when
    it starts (``cleanContainerdHosts`` in ``pkg/agent/containerd/config.go``).
    """
    generated = setup.containerd().files
    for name in setup.misplaced_hosts:
        path = f"{setup.certs_d}/{name}"
        registry = "a registry without its own entry" if name == DEFAULT_DIRECTORY else name
        problem = f"this is a file, not a directory: containerd pulls nothing from {registry}"
        fix = f"mkdir {path}.d && mv {path} {path}.d/hosts.toml && mv {path}.d {path}"
        if name in generated:
            service = setup.service.unit.name if setup.service is not None else "k3s"
            fix = f"systemctl restart {service}, which replaces it by a directory"
        yield Finding(HOSTS_INVALID, path, 0, problem, fix)


def _is_toml(rewrite: Rewrite) -> bool:
    """Return whether a rewrite is valid TOML between the quotes that K3s puts around it."""
    try:
        tomllib.loads(f'"{rewrite.pattern.text}" = "{rewrite.replacement.text}"')
    except ValueError:
        return False
    return True


def _invalid_generated(setup: K3sInstallation, registry: str, path: str, effect: str) -> Finding:
    """Report the entry of ``registries.yaml`` that makes a generated ``hosts.toml`` invalid."""
    mirror = setup.registries.mirrors.get(registry)
    entry = mirror or setup.registries.configs.get(registry)
    cause = entry.name if entry is not None else Located(registry)
    fix = "remove quotes, backslashes and control characters from this entry"
    changes: tuple[Edit, ...] = ()
    invalid = [rewrite for rewrite in mirror.rewrites if not _is_toml(rewrite)] if mirror else []
    if invalid:
        cause = invalid[0].pattern
        fix, changes = _fix_escapes(setup, invalid[0])
    problem = f"K3s writes {cause.text} unquoted into {path}, which is then not TOML: {effect}"
    line = cause.position.line
    return Finding(HOSTS_INVALID, setup.registries_path, line, problem, fix, changes)


def _fix_escapes(setup: K3sInstallation, rewrite: Rewrite) -> tuple[str, tuple[Edit, ...]]:
    """Return the fix for a rewrite with backslashes, and the edit if it is certain."""
    pattern = rewrite.pattern
    fixed = pattern.text
    if "[" not in fixed:
        # Within a character class, another one cannot be written.
        fixed = _ESCAPE.sub(lambda match: _CLASSES.get(match[1], f"[{match[1]}]"), fixed)
    if _is_toml(Rewrite(Located(fixed), rewrite.replacement)):
        edit = Edit(setup.registries_path, pattern.position, pattern.text, fixed)
        return f"write {fixed}", (edit,)
    return r"write it without backslashes and quotes: [.] for \., [0-9] for \d", ()


def _default(registry: str) -> str:
    endpoint = try_parse_endpoint(Located(registry)) if registry != WILDCARD else None
    return f"{endpoint.scheme}://{endpoint.host}" if endpoint else "the registry itself"


def _missing_group(setup: K3sInstallation, rewrite: Rewrite, used: str) -> Finding:
    pattern, replacement = rewrite.pattern, rewrite.replacement.text
    path, line = setup.registries_path, pattern.position.line
    problem = f"{replacement} uses {used}, but {pattern.text} has no such group: it is empty"
    fixed = _with_group(pattern.text)
    if "(" in pattern.text or used not in _FIRST_GROUP:
        fix = f"write {used[0]}{{1}} with braces if letters or digits follow, or add the group"
        return Finding(REWRITE_GROUP, path, line, problem, fix)
    if fixed is None:
        fix = f"put ( and ) around the part that {used} stands for"
        return Finding(REWRITE_GROUP, path, line, problem, fix)
    edit = Edit(path, pattern.position, pattern.text, fixed)
    return Finding(REWRITE_GROUP, path, line, problem, f"write {fixed}", (edit,))


def _with_group(pattern: str) -> str | None:
    """Put a group around the only ``.*`` of a pattern, or append one; None if it has several."""
    anything = list(_ANYTHING.finditer(pattern))
    if not anything:
        return f"{pattern.removesuffix('$').rstrip('/')}/(.*)"
    return _ANYTHING.sub(r"(\g<0>)", pattern) if len(anything) == 1 else None


def _is_unused(node: Node, setup: K3sInstallation, mirror: Mirror, pattern: GoPattern) -> bool:
    """Return whether minreg is the only endpoint, and no image for it matches a pattern."""
    endpoints = [try_parse_endpoint(endpoint) for endpoint in mirror.endpoints]
    if node.tree is None or not endpoints:
        return False
    if not all(
        endpoint is not None and node.registry.address_for(endpoint.host) for endpoint in endpoints
    ):
        return False
    names = {required.image.repository for required in list_required_images(node, setup)}
    names |= {path.removeprefix(f"{mirror.name.text}/") for path in node.tree.repositories}
    return bool(names) and not any(map(pattern.matches, names))


def _unused(node: Node, setup: K3sInstallation, rewrite: Rewrite) -> Finding:
    root = node.tree.root if node.tree is not None else ""
    problem = f"{rewrite.pattern.text} matches no repository of the tree {root}: it has no effect"
    fix = "remove it: the tree has images under their original names"
    line = rewrite.pattern.position.line
    return Finding(REWRITE_UNUSED, setup.registries_path, line, problem, fix)
