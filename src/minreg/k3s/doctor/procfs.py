"""What the kernel says of the running node: default routes, listening ports, architecture."""

import os
import socket
import struct
from collections.abc import Iterator

import attrs

from minreg.k3s.doctor.node_files import NodeFiles

_ROUTES = "/proc/net/route"


def has_default_route(path: str = _ROUTES) -> bool:
    """Return whether there is a default route for IPv4. K3s does not start without one.

    Args:
        path: The kernel's table: a heading, then a line for each route, whose second field is the
            destination and whose eighth is the mask, both 0 for a default route (proc_net(5)).
            The file does not exist if the kernel has no IPv4.
    """
    try:
        with open(path, encoding="ascii") as table:
            routes = [line.split() for line in table.readlines()[1:]]
    except FileNotFoundError:
        return False
    return any(int(route[1], 16) == int(route[7], 16) == 0 for route in routes)


_LISTENING = "0A"


@attrs.frozen
class ListeningPort:
    """A TCP port that a program listens on; ``program`` is empty if its name is not known."""

    address: str
    port: int
    program: str = ""


@attrs.frozen
class Kernel:
    """The state of the running kernel."""

    has_default_route: bool
    listeners: tuple[ListeningPort, ...] = ()


def inspect_kernel(proc: str = "/proc") -> Kernel:
    """Inspect the running kernel.

    Args:
        proc: Where procfs is mounted.
    """
    sockets = [
        *_read_listeners(f"{proc}/net/tcp"),
        *_read_listeners(f"{proc}/net/tcp6"),
    ]
    programs = _find_programs(proc, {inode for _, _, inode in sockets})
    return Kernel(
        has_default_route(f"{proc}/net/route") or _has_default_route_6(f"{proc}/net/ipv6_route"),
        tuple(
            ListeningPort(address, port, programs.get(inode, ""))
            for address, port, inode in sockets
        ),
    )


def _has_default_route_6(path: str) -> bool:
    """Return whether there is a default route for IPv6 to a device other than ``lo``.

    Each line has the destination, the length of its prefix, and last the device. The kernel always
    has an "unreachable" default route to ``lo`` (proc_net(5)).
    """
    routes = (line.split() for line in _lines(path))
    return any(
        len(route) > 9 and int(route[0], 16) == int(route[1], 16) == 0 and route[-1] != "lo"
        for route in routes
    )


def _read_listeners(path: str) -> Iterator[tuple[str, int, str]]:
    """Read a table of sockets: fields 1, 3 and 9 are local address, state and inode (proc(5))."""
    for line in _lines(path)[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING:
            address, _, port = fields[1].partition(":")
            yield _parse_address(address), int(port, 16), fields[9]


def _parse_address(text: str) -> str:
    """Parse an address that the kernel wrote as 32-bit words in its own byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)


def _find_programs(proc: str, inodes: set[str]) -> dict[str, str]:
    """Return the programs that have sockets open, by inode, as far as this user may see them."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    programs: dict[str, str] = {}
    for process in _names(proc):
        if not process.isdigit():
            continue
        for descriptor in _names(f"{proc}/{process}/fd"):
            try:
                target = os.readlink(f"{proc}/{process}/fd/{descriptor}")
            except OSError:
                continue
            if target in links:
                # systemd also has the sockets open that it passes to services, which have higher
                # process numbers and override it here.
                programs[links[target]] = "".join(_lines(f"{proc}/{process}/comm")).strip()
    return programs


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readlines()
    except OSError:
        return []


# Architectures by their names in uname(2), and by e_machine in ELF headers (elf(5)).
_BY_NAME = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
}
_BY_NUMBER = {
    62: "amd64",
    183: "arm64",
    40: "arm",
    22: "s390x",
    243: "riscv64",
    21: "ppc64le",
}
_PROGRAMS = (
    "/usr/local/bin/k3s",
    "/usr/local/bin/rke2",
    "/opt/rke2/bin/rke2",
    "/usr/bin/env",
    "/bin/sh",
)


def find_architecture(files: NodeFiles) -> str:
    """Return the architecture of a node, as in image platforms; empty if it is not known.

    If the node is not running, its programs are inspected.
    """
    if files.is_live:
        return _BY_NAME.get(os.uname().machine, "")
    for path in _PROGRAMS:
        file = files.read(path)
        if file is not None and file.content[:4] == b"\x7fELF" and len(file.content) > 20:
            order = ">" if file.content[5] == 2 else "<"
            (number,) = struct.unpack_from(f"{order}H", file.content, 18)
            return _BY_NUMBER.get(number, "")
    return ""
