"""The rule about ``hosts.toml``: that containerd can read it, whoever has written it."""

import re
import tomllib
from collections.abc import Iterator

from minreg.k3s.doctor.findings import Edit, Finding
from minreg.k3s.doctor.installation import K3sInstallation, is_generated
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.rules.catalog import HOSTS_INVALID
from minreg.k3s.doctor.rules.mirrors import WILDCARD, parse_word
from minreg.k3s.registries.certs_d import DEFAULT_DIRECTORY
from minreg.k3s.registries.hosts_toml import HostsInvalid, parse_hosts
from minreg.k3s.registries.registries_yaml import Rewrite
from minreg.k3s.yaml_reader import Located

_NO_CLASS = re.compile(r"\\([.+*?()|{}$/_-]|[dw])")
_CLASSES = {"d": "[0-9]", "w": "[0-9A-Za-z_]"}


def check_hosts(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Containerd can read what is written for it."""
    for name, text in sorted(setup.containerd().files.items()):
        registry = WILDCARD if name == DEFAULT_DIRECTORY else name
        try:
            parse_hosts(text, registry, is_of_k3s=True)
        except HostsInvalid as error:
            path = f"{setup.data}/agent/etc/containerd/certs.d/{name}/hosts.toml"
            effect = f"containerd reads nothing of it, and asks {_default(registry)} only"
            if is_generated(text):
                yield _of_k3s(setup, registry, path, effect)
            else:
                fix = "correct it, as docs/hosts.md of containerd has it"
                yield Finding(HOSTS_INVALID, path, 0, f"{error}; {effect}", fix)


def can_be_written(rewrite: Rewrite) -> bool:
    """Tell whether a rewrite can be read when K3s has put it between quotes as it stands."""
    try:
        tomllib.loads(f'"{rewrite.pattern.text}" = "{rewrite.replacement.text}"')
    except ValueError:
        return False
    return True


def _of_k3s(setup: K3sInstallation, registry: str, path: str, effect: str) -> Finding:
    """Find what it is in ``registries.yaml`` that K3s makes such a file of."""
    mirror = setup.registries.mirrors.get(registry)
    entry = mirror or setup.registries.configs.get(registry)
    culprit = entry.name if entry is not None else Located(registry)
    fix = "take quotes, backslashes and control characters out of this entry"
    changes: tuple[Edit, ...] = ()
    wrong = [one for one in mirror.rewrites if not can_be_written(one)] if mirror else []
    if wrong:
        culprit = wrong[0].pattern
        fix, changes = _mend(setup, wrong[0])
    problem = (
        f"K3s writes {culprit.text} as it stands into {path}, which is no TOML then: {effect}"
    )
    line = culprit.position.line
    return Finding(HOSTS_INVALID, setup.registries_path, line, problem, fix, changes)


def _mend(setup: K3sInstallation, rewrite: Rewrite) -> tuple[str, tuple[Edit, ...]]:
    """Say how to write a rewrite without what has a meaning in TOML."""
    pattern = rewrite.pattern
    meant = pattern.text
    if "[" not in meant:
        # Within brackets, brackets are no help.
        meant = _NO_CLASS.sub(lambda found: _CLASSES.get(found[1], f"[{found[1]}]"), meant)
    if can_be_written(Rewrite(Located(meant), rewrite.replacement)):
        edit = Edit(setup.registries_path, pattern.position, pattern.text, meant)
        return f"write {meant}", (edit,)
    return r"write it without backslashes and quotes: [.] for \., [0-9] for \d", ()


def _default(registry: str) -> str:
    endpoint = parse_word(Located(registry)) if registry != WILDCARD else None
    return f"{endpoint.scheme}://{endpoint.host}" if endpoint else "the registry itself"
