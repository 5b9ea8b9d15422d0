"""Rules about ``rewrite``."""

import re
from collections.abc import Iterator

from minreg.k3s.doctor.findings import Edit, Finding
from minreg.k3s.doctor.images import list_wanted
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.rules.catalog import (
    REWRITE_GROUP,
    REWRITE_SYNTAX,
    REWRITE_UNUSED,
)
from minreg.k3s.doctor.rules.hosts import can_be_written
from minreg.k3s.doctor.rules.mirrors import parse_word
from minreg.k3s.registries.go_regexp import GoPattern, PatternInvalid, PatternNotChecked
from minreg.k3s.registries.registries_yaml import Mirror, Rewrite

_FIRST_GROUP = frozenset({"$1", "${1}"})
_ANYTHING = re.compile(r"(?<!\\)\.[*+]\??")


def check_rewrites(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """A rewrite is a regular expression of Go, uses groups that it has, and is of use."""
    for mirror in setup.registries.mirrors.values():
        for rewrite in mirror.rewrites:
            if not can_be_written(rewrite):
                continue
            pattern, line = rewrite.pattern.text, rewrite.pattern.position.line
            try:
                compiled = GoPattern.compile(pattern)
            except PatternNotChecked:
                return
            except PatternInvalid as error:
                problem = f"{error}: containerd leaves this rewrite out, and says so in its log"
                fix = "write it without; Go has neither (?! nor (?= nor references to groups"
                yield Finding(REWRITE_SYNTAX, setup.registries_path, line, problem, fix)
                continue
            missing = compiled.missing_groups(rewrite.replacement.text)
            if missing:
                yield _without_group(setup, rewrite, missing[0])
            elif _is_unused(node, setup, mirror, compiled):
                yield _unused(node, setup, rewrite)


def _without_group(setup: K3sInstallation, rewrite: Rewrite, used: str) -> Finding:
    pattern, replacement = rewrite.pattern, rewrite.replacement.text
    path, line = setup.registries_path, pattern.position.line
    problem = (
        f"{replacement} uses {used}, and {pattern.text} has no such group: it counts as empty"
    )
    meant = _with_group(pattern.text)
    if "(" in pattern.text or used not in _FIRST_GROUP:
        fix = f"write {used[0]}{{1}} with braces where letters or digits follow, or add the group"
        return Finding(REWRITE_GROUP, path, line, problem, fix)
    if meant is None:
        fix = f"write ( and ) around what {used} is to be"
        return Finding(REWRITE_GROUP, path, line, problem, fix)
    fix = f"write {meant}"
    edit = Edit(path, pattern.position, pattern.text, meant)
    return Finding(REWRITE_GROUP, path, line, problem, fix, (edit,))


def _with_group(pattern: str) -> str | None:
    """Make a group of what may be anything, or of all that follows; None if there are several."""
    anything = list(_ANYTHING.finditer(pattern))
    if not anything:
        return f"{pattern.removesuffix('$').rstrip('/')}/(.*)"
    return _ANYTHING.sub(r"(\g<0>)", pattern) if len(anything) == 1 else None


def _is_unused(node: Node, setup: K3sInstallation, mirror: Mirror, pattern: GoPattern) -> bool:
    """Tell whether a rewrite leads to nothing, where only this node's registry is asked."""
    endpoints = [parse_word(word) for word in mirror.endpoints]
    if node.tree is None or not endpoints:
        return False
    if not all(one is not None and node.registry.address_for(one.host) for one in endpoints):
        return False
    names = {wanted.image.repository for wanted in list_wanted(node, setup)}
    names |= {place.removeprefix(f"{mirror.name.text}/") for place in node.tree.repositories}
    return bool(names) and not any(pattern.matches(name) for name in names)


def _unused(node: Node, setup: K3sInstallation, rewrite: Rewrite) -> Finding:
    root = node.tree.root if node.tree is not None else ""
    problem = f"{rewrite.pattern.text} matches no repository of the tree {root}: it does nothing"
    fix = "remove it: images are kept under their own names there"
    line = rewrite.pattern.position.line
    return Finding(REWRITE_UNUSED, setup.registries_path, line, problem, fix)
