"""Checks a node against all rules."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from minreg.k3s.doctor.findings import Finding, Severity
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.configs import (
    check_config_names,
    check_login_form,
    check_logins,
    check_tls_use,
)
from minreg.k3s.doctor.rules.endpoint_targets import (
    check_endpoint_hosts,
    check_endpoint_paths,
)
from minreg.k3s.doctor.rules.k3s_configuration import (
    check_agent_settings,
    check_archives,
    check_default_endpoint,
    check_embedded_registry,
    check_layers,
    check_restart,
    check_runtime,
    check_system_registry,
    check_template,
)
from minreg.k3s.doctor.rules.mirrors import (
    check_endpoints,
    check_local_endpoints,
    check_mirror_names,
    check_named_endpoints,
)
from minreg.k3s.doctor.rules.node_services import (
    check_ports,
    check_route,
    check_unit_enabled,
    check_unit_lines,
    check_unit_order,
)
from minreg.k3s.doctor.rules.registry_tree import (
    check_contents,
    check_images,
    check_mirrors_elsewhere,
    check_permissions,
    check_platforms,
    check_root,
    check_root_depth,
)
from minreg.k3s.doctor.rules.rewrites import (
    check_host_directories,
    check_hosts,
    check_rewrites,
)
from minreg.k3s.doctor.rules.syntax import check_file_name, check_syntax
from minreg.k3s.doctor.rules.tls import check_hosts_tls, check_tls_files

_Check = Callable[[Node, K3sInstallation], Iterator[Finding]]

_NODE_CHECKS: Sequence[Callable[[Node], Iterator[Finding]]] = (
    check_root,
    check_root_depth,
    check_permissions,
    check_contents,
    check_platforms,
)
_CONFIGURATION_CHECKS: Sequence[_Check] = (
    check_file_name,
    check_syntax,
    check_mirror_names,
    check_endpoints,
    check_local_endpoints,
    check_named_endpoints,
    check_endpoint_paths,
    check_endpoint_hosts,
    check_config_names,
    check_logins,
    check_login_form,
    check_embedded_registry,
    check_tls_use,
    check_tls_files,
    check_hosts_tls,
    check_rewrites,
    check_hosts,
    check_host_directories,
)
_CONSEQUENCE_CHECKS: Sequence[_Check] = (
    check_default_endpoint,
    check_system_registry,
    check_images,
    check_mirrors_elsewhere,
)
_INSTALLATION_CHECKS: Sequence[_Check] = (
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
    """Find the broken rules, the worst first and each finding once.

    Images that cannot be pulled are not reported as long as the configuration itself has errors:
    these may be the reason, and are to be fixed first.
    """
    findings = [finding for check in _NODE_CHECKS for finding in check(node)]
    for setup in node.setups:
        findings += [finding for check in _INSTALLATION_CHECKS for finding in check(node, setup)]
        causes = [finding for check in _CONFIGURATION_CHECKS for finding in check(node, setup)]
        for check in _CONSEQUENCE_CHECKS if setup.is_known else ():
            if not any(cause.rule.severity is Severity.ERROR for cause in causes):
                causes += check(node, setup)
        findings += causes
    return order(findings)


def order(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, the worst first, and drop duplicates."""
    return sorted(dict.fromkeys(findings), key=lambda finding: finding.order)
