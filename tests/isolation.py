"""Isolates the tests from the machine that they run on."""

import ipaddress
import socket
import sys
from collections.abc import MutableMapping
from contextlib import suppress

_SIZES = ("MINREG_RESTARTS", "MINREG_PULLERS")
"""How large tests are to be."""

_KEPT = frozenset({"CI", "HOME", "MINREG_GO_TOOLS", "PATH", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"})
_KEPT_PREFIXES = ("COVERAGE_", "LANG", "LC_", "PYTHON", "MINREG_SOAK_", *_SIZES)

_OF_NODES = ("/etc/systemd", "/etc/rancher", "/etc/kubernetes", "/var/lib/rancher")
"""What a machine has that is itself a node."""

_allowed_addresses: set[str] = set()


def clean_environment(environment: MutableMapping[str, str]) -> None:
    """Remove every variable that would change what minreg does: proxies, credentials, colours."""
    for name in list(environment):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del environment[name]


def watch() -> None:
    """Raise an error if a test opens a node's files on this machine, or connects to another one.

    The programs that end-to-end tests start are not watched.
    """
    sys.addaudithook(_audit)


def allow_connections_to(address: str) -> None:
    """Allow connections to an address of this machine that is not a loopback one."""
    _allowed_addresses.add(address)


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"open", "os.listdir", "os.scandir"}:
        if isinstance(arguments[0], str) and arguments[0].startswith(_OF_NODES):
            raise AssertionError(f"a test must bring its own files, not open {arguments[0]}")
    elif event == "socket.connect" and not _is_local(arguments[1]):
        # A datagram socket sends nothing when it is connected.
        if getattr(arguments[0], "type", None) != socket.SOCK_DGRAM:
            raise AssertionError(f"a test must not connect to {arguments[1]}")
    elif event == "socket.getaddrinfo" and not _is_address(arguments[0]):
        raise AssertionError(f"a test must not ask the network for {arguments[0]}")


def _is_local(address: object) -> bool:
    if isinstance(address, tuple) and isinstance(address[0], str):
        with suppress(ValueError):
            if ipaddress.ip_address(address[0]).is_loopback:
                return True
        return address[0] == "localhost" or address[0] in _allowed_addresses
    # The path of a Unix socket, or no address of the Internet Protocol.
    return True


def _is_address(host: object) -> bool:
    if host in {None, "", "localhost", b"localhost"}:
        return True
    with suppress(ValueError):
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
        return True
    return False
