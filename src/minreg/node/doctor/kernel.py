"""What the running kernel says of the node: its routes, who listens, what machine it is."""

import os
import socket
import struct
from collections.abc import Iterator

import attrs

from minreg.node.routes import has_default_route

_LISTENING = "0A"


@attrs.frozen
class Listener:
    """A TCP port that somebody listens on; ``program`` is empty where that cannot be seen."""

    address: str
    port: int
    program: str = ""


@attrs.frozen
class Kernel:
    """What the running system says of itself."""

    has_default_route: bool
    listeners: tuple[Listener, ...] = ()


def look_at_kernel(proc: str = "/proc") -> Kernel:
    """Ask the running kernel.

    Args:
        proc: Where its file system of processes is.
    """
    listening = [
        *_read_listeners(f"{proc}/net/tcp"),
        *_read_listeners(f"{proc}/net/tcp6"),
    ]
    programs = _find_programs(proc, {inode for _, _, inode in listening})
    return Kernel(
        has_default_route(f"{proc}/net/route") or _has_default_route_6(f"{proc}/net/ipv6_route"),
        tuple(
            Listener(address, port, programs.get(inode, "")) for address, port, inode in listening
        ),
    )


def _has_default_route_6(path: str) -> bool:
    """Tell whether there is a default route for IPv6 that leads somewhere.

    Each line has the destination, the length of its prefix, and last the device; without
    routes, one to ``lo`` stands for "unreachable" (proc_net(5)).
    """
    routes = (line.split() for line in _lines(path))
    return any(
        len(route) > 9 and int(route[0], 16) == int(route[1], 16) == 0 and route[-1] != "lo"
        for route in routes
    )


def _read_listeners(path: str) -> Iterator[tuple[str, int, str]]:
    """Read a table of sockets: a heading, then local address, remote, state … inode (proc(5))."""
    for line in _lines(path)[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING:
            address, _, port = fields[1].partition(":")
            yield _parse_address(address), int(port, 16), fields[9]


def _parse_address(text: str) -> str:
    """Read an address that the kernel wrote as words in its own byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)


def _find_programs(proc: str, inodes: set[str]) -> dict[str, str]:
    """Name the programs that hold sockets, as far as this user may see them."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    programs: dict[str, str] = {}
    for process in _names(proc):
        if not process.isdigit():
            continue
        for descriptor in _names(f"{proc}/{process}/fd"):
            try:
                target = os.readlink(f"{proc}/{process}/fd/{descriptor}")
            except OSError:
                continue
            if target in wanted:
                # systemd holds what it listens on for others as well: those come later.
                programs[wanted[target]] = "".join(_lines(f"{proc}/{process}/comm")).strip()
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
