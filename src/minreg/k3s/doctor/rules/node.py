"""Rules about the node: its route, minreg's units, and the ports that they need."""

from collections.abc import Iterator, Mapping

from minreg.defaults import DEFAULT_PORT
from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.registry_service import SERVICE, SOCKET, Address
from minreg.k3s.doctor.rules.catalog import (
    DEFAULT_ROUTE,
    PORT_OF_K3S,
    PORT_TAKEN,
    UNIT_DISABLED,
    UNIT_LINE,
    UNIT_ORDER,
)
from minreg.k3s.doctor.rules.mirrors import parse_word
from minreg.k3s.doctor.systemd_units import ADMINISTRATOR, Unit
from minreg.k3s.registries.endpoints import is_local

# What K3s and what runs within it listens on: https://docs.k3s.io/installation/requirements
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
_HOLDERS = frozenset({"systemd", "twistd", "minreg", "python", "python3"})


def check_route(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """There is a default route, be it one that leads nowhere."""
    if node.kernel is None or node.kernel.has_default_route:
        return
    problem = (
        f"this node has no default route, and {setup.distribution.title} does not start, or its "
        "services cannot be reached"
    )
    fix = "minreg node install --start --route"
    yield Finding(DEFAULT_ROUTE, "/proc/net/route", 0, problem, fix)


def check_unit_enabled(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The registry that K3s is sent to is started at boot."""
    registry = node.registry
    if not registry.is_installed and (registry.unit is None or not registry.unit.is_masked):
        word = _word_for_minreg(setup)
        if word is not None:
            problem = f"{word} is where minreg listens, and minreg's units are not on this node"
            path = f"{ADMINISTRATOR}/{SERVICE}"
            yield Finding(UNIT_DISABLED, path, 0, problem, "minreg node install --start")
        return
    if registry.unit is None:
        problem = f"{SOCKET} is for this service, which is not there: nobody answers a pull"
        path = f"{ADMINISTRATOR}/{SERVICE}"
        yield Finding(UNIT_DISABLED, path, 0, problem, "minreg node install --start")
    for unit in registry.units:
        if unit.is_masked:
            problem = "it is masked, and cannot be started"
            yield _disabled(unit, problem, f"systemctl unmask {unit.name}, and enable it")
        elif not unit.is_enabled and unit.name == (SOCKET if registry.socket else SERVICE):
            problem = "it is not started at boot: the first pulls are refused"
            yield _disabled(unit, problem, f"systemctl enable --now {unit.name}")


def check_unit_order(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """K3s is started after the registry."""
    registry, service = node.registry.service, setup.service
    if registry is None or service is None or registry.unit.is_masked:
        return
    name = service.unit.name
    before = registry.unit.words("Unit", "Before")
    after = service.unit.words("Unit", "After")
    if name in registry.unit.words("Unit", "After") or SERVICE in service.unit.words(
        "Unit", "Before"
    ):
        problem = f"it is started after {name}, whose first pulls fail"
    elif name in before or SERVICE in after:
        return
    else:
        problem = f"nothing has {name} wait for it: its first pulls may fail"
    fix = f"systemctl edit minreg: below [Unit], Before={name}"
    yield Finding(UNIT_ORDER, registry.unit.path, 0, problem, fix)


def check_unit_lines(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Each line of a unit says something to systemd."""
    units = [*node.registry.units, *([setup.service.unit] if setup.service is not None else [])]
    for unit in units:
        for stray in unit.strays[:1]:
            problem = f"systemd ignores {stray.value!r}, as it is no NAME=VALUE"
            fix = "end the line before it with a backslash, if it goes on here; or remove it"
            yield Finding(UNIT_LINE, stray.path, stray.line, problem, fix)


def check_ports(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The registry's port is its own."""
    told = setup.settings.setting("https-listen-port")
    for address in node.registry.addresses:
        if address.port == told.text and not setup.is_agent:
            title = setup.distribution.title
            problem = f"{title} is told to listen on port {told.text}, and minreg listens there"
            fix = "let one of the two listen elsewhere"
            yield Finding(PORT_OF_K3S, told.path, told.line, problem, fix)
            continue
        user = _PORTS.get(address.port, "")
        if setup.has_embedded_registry and address.port == _EMBEDDED_PORT:
            user = "the embedded registry"
        if user:
            problem = f"minreg listens on port {address.port}, which K3s needs for {user}"
            fix = f"let it listen on another one, such as {DEFAULT_PORT}"
            yield Finding(PORT_OF_K3S, address.path, address.line, problem, fix)
            continue
        program = _holder(node, address)
        if program and program not in _HOLDERS:
            problem = f"{program} listens on port {address.port}: minreg cannot"
            fix = f"stop {program}, or let one of the two listen elsewhere"
            yield Finding(PORT_TAKEN, address.path, address.line, problem, fix)


def _disabled(unit: Unit, problem: str, fix: str) -> Finding:
    return Finding(UNIT_DISABLED, unit.path, 0, problem, fix)


def _word_for_minreg(setup: K3sInstallation) -> str | None:
    """Find an endpoint that can only be minreg on this node."""
    for mirror in setup.registries.mirrors.values():
        for word in mirror.endpoints:
            endpoint = parse_word(word)
            host = endpoint.host if endpoint is not None else ""
            if host.endswith(f":{DEFAULT_PORT}") and is_local(host):
                return word.text
    return None


def _holder(node: Node, address: Address) -> str:
    """Name the program that listens where minreg should; empty if nobody does, or none is seen."""
    for listener in node.kernel.listeners if node.kernel is not None else ():
        is_same = listener.address in {address.host, "0.0.0.0", "::"} or not address.host  # noqa: S104
        if str(listener.port) == address.port and is_same:
            return listener.program
    return ""
