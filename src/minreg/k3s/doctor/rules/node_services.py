"""Rules about the node: its default route, minreg's systemd units, and their ports."""

from collections.abc import Iterator, Mapping

from minreg.defaults import DEFAULT_PORT, SERVICE_UNIT, SOCKET_UNIT
from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.registry_service import Address
from minreg.k3s.doctor.rules.catalog import (
    DEFAULT_ROUTE,
    PORT_OF_K3S,
    PORT_TAKEN,
    UNIT_DISABLED,
    UNIT_LINE,
    UNIT_ORDER,
)
from minreg.k3s.doctor.rules.mirrors import try_parse_endpoint
from minreg.k3s.doctor.systemd_units import ADMINISTRATOR, Unit
from minreg.k3s.registries.mirror_endpoints import is_local

# Ports of K3s and its components: https://docs.k3s.io/installation/requirements
_PORTS: Mapping[str, str] = {
    "2379": "etcd",
    "2380": "etcd",
    "2381": "etcd",
    "6443": "the API server and the embedded registry",
    "6444": "the API server",
    "10010": "containerd",
    "10248": "the kubelet",
    "10249": "kube-proxy",
    "10250": "the kubelet",
    "10256": "kube-proxy",
    "10257": "the controller manager",
    "10258": "the cloud controller manager",
    "10259": "the scheduler",
}
_EMBEDDED_PORT = "5001"
# Programs that listen on minreg's port if all is well.
_OWN_PROGRAMS = frozenset({"systemd", "twistd", "minreg", "python", "python3"})


def check_route(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """There is a default route, even if it is to a dummy interface."""
    if node.kernel is None or node.kernel.has_default_route:
        return
    problem = (
        f"this node has no default route: {setup.distribution.title} does not start, or its "
        "services are not reachable"
    )
    fix = "minreg node install --start --route"
    yield Finding(DEFAULT_ROUTE, "/proc/net/route", 0, problem, fix)


def check_unit_enabled(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Minreg is started at boot, if K3s pulls from it."""
    registry = node.registry
    if not registry.is_installed and (registry.unit is None or not registry.unit.is_masked):
        endpoint = _endpoint_of_minreg(setup)
        if endpoint is not None:
            problem = (
                f"{endpoint} is minreg's default address, but minreg's units are not installed on "
                "this node: each pull fails, unless another registry listens there"
            )
            path = f"{ADMINISTRATOR}/{SERVICE_UNIT}"
            yield Finding(UNIT_DISABLED, path, 0, problem, "minreg node install --start")
        return
    if registry.unit is None:
        problem = f"{SOCKET_UNIT} is installed, but this service is not: each pull fails"
        path = f"{ADMINISTRATOR}/{SERVICE_UNIT}"
        yield Finding(UNIT_DISABLED, path, 0, problem, "minreg node install --start")
    for unit in registry.units:
        if unit.is_masked:
            problem = "the unit is masked, and cannot be started"
            fix = f"systemctl unmask {unit.name} && systemctl enable --now {unit.name}"
            yield _disabled(unit, problem, fix)
        elif not unit.is_enabled and unit.name == (
            SOCKET_UNIT if registry.socket else SERVICE_UNIT
        ):
            problem = "the unit is not started at boot: the first pulls will fail"
            yield _disabled(unit, problem, f"systemctl enable --now {unit.name}")


def check_unit_order(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """K3s is started after minreg."""
    registry, service = node.registry.service, setup.service
    if registry is None or service is None or registry.unit.is_masked:
        return
    name = service.unit.name
    before = registry.unit.list_units("Unit", "Before")
    after = service.unit.list_units("Unit", "After")
    if name in registry.unit.list_units("Unit", "After") or (
        SERVICE_UNIT in service.unit.list_units("Unit", "Before")
    ):
        problem = f"minreg is started after {name}, whose first pulls will fail"
    elif name in before or SERVICE_UNIT in after:
        return
    else:
        problem = f"{name} does not wait for minreg: its first pulls may fail"
    fix = f"systemctl edit minreg, and add Before={name} below [Unit]"
    yield Finding(UNIT_ORDER, registry.unit.path, 0, problem, fix)


def check_unit_lines(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Each line of a unit is one that systemd understands."""
    units = [*node.registry.units, *([setup.service.unit] if setup.service is not None else [])]
    for unit in units:
        for ignored in unit.ignored_lines[:1]:
            problem = f"systemd ignores {ignored.value!r}, which is not NAME=VALUE"
            fix = "end the line before with a backslash, if this continues it; or remove this line"
            yield Finding(UNIT_LINE, ignored.path, ignored.line, problem, fix)


def check_ports(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """No other program uses minreg's port."""
    configured = setup.settings.setting("https-listen-port")
    for address in node.registry.addresses:
        if address.port == configured.text and not setup.is_agent:
            title = setup.distribution.title
            problem = f"{title} is configured for port {configured.text}, on which minreg listens"
            fix = "change the port of one of them"
            yield Finding(PORT_OF_K3S, configured.path, configured.line, problem, fix)
            continue
        component = _PORTS.get(address.port, "")
        if setup.has_embedded_registry and address.port == _EMBEDDED_PORT:
            component = "the embedded registry"
        if component:
            problem = f"minreg listens on port {address.port}, which K3s needs for {component}"
            fix = f"let minreg listen on another port, such as {DEFAULT_PORT}"
            yield Finding(PORT_OF_K3S, address.path, address.line, problem, fix)
            continue
        program = _listening_program(node, address)
        if program and program not in _OWN_PROGRAMS:
            problem = f"{program} listens on port {address.port}, so minreg cannot"
            fix = f"stop {program}, or change the port of one of them"
            yield Finding(PORT_TAKEN, address.path, address.line, problem, fix)


def _disabled(unit: Unit, problem: str, fix: str) -> Finding:
    return Finding(UNIT_DISABLED, unit.path, 0, problem, fix)


def _endpoint_of_minreg(setup: K3sInstallation) -> str | None:
    """Find an endpoint on this node with minreg's default port; None if there is none."""
    for mirror in setup.registries.mirrors.values():
        for located in mirror.endpoints:
            endpoint = try_parse_endpoint(located)
            host = endpoint.host if endpoint is not None else ""
            if host.endswith(f":{DEFAULT_PORT}") and is_local(host):
                return located.text
    return None


def _listening_program(node: Node, address: Address) -> str:
    """Return the program that listens on an address; empty if there is none, or none visible."""
    for listener in node.kernel.listeners if node.kernel is not None else ():
        is_same = listener.address in {address.host, "0.0.0.0", "::"} or not address.host  # noqa: S104
        if str(listener.port) == address.port and is_same:
            return listener.program
    return ""
