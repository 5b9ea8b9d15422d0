"""Asks all rules about a node."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from minreg.k3s.doctor.findings import Finding, Severity
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.rules.configs import check_config_names, check_tls_use
from minreg.k3s.doctor.rules.hosts import check_hosts
from minreg.k3s.doctor.rules.k3s import (
    check_agent_settings,
    check_archives,
    check_default_endpoint,
    check_layers,
    check_restart,
    check_runtime,
    check_system_registry,
    check_template,
)
from minreg.k3s.doctor.rules.mirrors import (
    check_endpoints,
    check_mirror_names,
    check_named_endpoints,
    check_whereabouts,
)
from minreg.k3s.doctor.rules.node import (
    check_ports,
    check_route,
    check_unit_enabled,
    check_unit_lines,
    check_unit_order,
)
from minreg.k3s.doctor.rules.rewrites import check_rewrites
from minreg.k3s.doctor.rules.syntax import check_place, check_syntax
from minreg.k3s.doctor.rules.tls import check_tls_files
from minreg.k3s.doctor.rules.tree import (
    check_contents,
    check_images,
    check_platforms,
    check_rights,
    check_root,
)

_Check = Callable[[Node, K3sInstallation], Iterator[Finding]]

_OF_NODE: Sequence[Callable[[Node], Iterator[Finding]]] = (
    check_root,
    check_rights,
    check_contents,
    check_platforms,
)
_OF_WHAT_IS_TOLD: Sequence[_Check] = (
    check_place,
    check_syntax,
    check_mirror_names,
    check_endpoints,
    check_whereabouts,
    check_named_endpoints,
    check_config_names,
    check_tls_use,
    check_tls_files,
    check_rewrites,
    check_hosts,
)
_OF_WHAT_COMES_OF_IT: Sequence[_Check] = (
    check_default_endpoint,
    check_system_registry,
    check_images,
)
_OF_SETUP: Sequence[_Check] = (
    check_agent_settings,
    check_restart,
    check_template,
    check_runtime,
    check_archives,
    check_layers,
    check_route,
    check_unit_enabled,
    check_unit_order,
    check_unit_lines,
    check_ports,
)


def diagnose(node: Node) -> list[Finding]:
    """Find the rules that are broken, the worst first and none twice.

    Of causes and what comes of them, only the causes are found: as long as what K3s is told is
    wrong in itself, nobody is troubled with the images that cannot be pulled for it.
    """
    found = [finding for check in _OF_NODE for finding in check(node)]
    for setup in node.setups:
        found += [finding for check in _OF_SETUP for finding in check(node, setup)]
        causes = [finding for check in _OF_WHAT_IS_TOLD for finding in check(node, setup)]
        for check in _OF_WHAT_COMES_OF_IT if setup.is_known else ():
            if not any(cause.rule.severity is Severity.ERROR for cause in causes):
                causes += check(node, setup)
        found += causes
    return order(found)


def order(findings: Iterable[Finding]) -> list[Finding]:
    """Put findings into order, the worst first and none twice."""
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.order)
