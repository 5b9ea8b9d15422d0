"""Reads minreg's own units on a node: the tree that they serve, and where they listen."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import attrs

from minreg.defaults import (
    DEFAULT_ALIAS,
    DEFAULT_INTERFACE,
    DEFAULT_PORT,
    DEFAULT_ROOT,
    SERVICE_UNIT,
    SOCKET_UNIT,
)
from minreg.k3s.doctor.node_files import NodeFiles
from minreg.k3s.doctor.services import Service, read_service
from minreg.k3s.doctor.systemd_units import Entry, Unit, find_unit
from minreg.k3s.registries.mirror_endpoints import is_local, split_port
from minreg.options import DAEMON_OPTIONS
from minreg.settings import SettingInvalid, parse_alias

# Parts of an endpoint description of Twisted, with or without escaped colons.
_PORT = re.compile(r"(?:port=)?(\d+)")
_INTERFACE = re.compile(r"interface=(.+?)(?=:[A-Za-z]+=|\Z)")
_ALL = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - nothing is bound here


@attrs.frozen
class Address:
    """A TCP address that the registry listens on, and the file and line that configure it.

    ``host`` is empty if it listens on all addresses.
    """

    host: str
    port: str
    is_tls: bool = False
    path: str = ""
    line: int = 0

    def is_reached_by(self, host: str) -> bool:
        """Return whether the host and port of an endpoint lead here from this node."""
        name, port = split_port(host)
        if port != self.port:
            return False
        is_loopback = name == "localhost" and is_local(self.host)
        return self.host == name or is_loopback or (not self.host and is_local(name))

    @property
    def url(self) -> str:
        """The endpoint on this node that leads here."""
        host = self.host or "127.0.0.1"
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"


@attrs.frozen
class InstalledRegistry:
    """The registry as its units configure it.

    ``unit`` is ``minreg.service``, and ``service`` is None if that does not run minreg. ``root``
    is the registry tree, ``links`` are the directories that symbolic links may point to
    (``--allow-links-to``), and ``aliases`` are the registry aliases.
    """

    service: Service | None = None
    socket: Unit | None = None
    root: str = DEFAULT_ROOT
    addresses: Sequence[Address] = ()
    aliases: Mapping[str, str] = attrs.field(factory=lambda: _parse_aliases([DEFAULT_ALIAS]))
    links: Sequence[str] = ()
    unit: Unit | None = None

    @property
    def is_installed(self) -> bool:
        """Whether any of the units exists."""
        return self.service is not None or self.socket is not None

    @property
    def units(self) -> list[Unit]:
        """The units that exist."""
        return [unit for unit in (self.unit, self.socket) if unit is not None]

    def address_for(self, host: str) -> Address | None:
        """Return the address that an endpoint's host leads to; None if it leads elsewhere."""
        reached = (address for address in self.addresses if address.is_reached_by(host))
        return next(reached, None)


def inspect_registry_service(files: NodeFiles) -> InstalledRegistry:
    """Read minreg's units."""
    service = read_service(files, SERVICE_UNIT, "twistd") or read_service(
        files, SERVICE_UNIT, "minreg"
    )
    unit, socket = find_unit(files, SERVICE_UNIT), find_unit(files, SOCKET_UNIT)
    if service is None:
        return InstalledRegistry(
            None, socket, addresses=tuple(_socket_addresses(socket)), unit=unit
        )
    options = list(_options(service.arguments))
    options += _options_from_environment(options, service.environment)
    roots = [value for name, value in options if name in {"root", "r"}]
    aliases = [value for name, value in options if name == "registry-alias"]
    links = [value for name, value in options if name == "allow-links-to"]
    return InstalledRegistry(
        service,
        socket,
        roots[-1] if roots else DEFAULT_ROOT,
        tuple(_addresses(service.start, options, socket)),
        _parse_aliases([DEFAULT_ALIAS, *aliases]),
        links,
        unit,
    )


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Split options into names and values. A flag gets the argument behind it as its value."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument.startswith("-"):
            name, separator, value = argument.lstrip("-").partition("=")
            yield name, value if separator else following


def _options_from_environment(
    options: Sequence[tuple[str, str]], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Read the options from the environment, except those that the command line overrides."""
    names = {name for name, _ in options}
    has_tcp = bool(names & {"port", "p", "interface", "i"})
    for option in DAEMON_OPTIONS:
        text = environment.get(option.variable, "")
        is_given = bool(names & {option.name, option.short or option.name})
        is_replaced = option.name == "listen" and has_tcp
        is_replaced |= option.name in {"port", "interface"} and "listen" in names
        if not text or is_given or is_replaced:
            continue
        with suppress(ValueError):
            for value in shlex.split(text) if option.is_repeatable else [text]:
                yield option.name, value


def _addresses(
    start: Entry, options: Sequence[tuple[str, str]], socket: Unit | None
) -> Iterator[Address]:
    """List where the service listens: ``--listen``, or else ``--port`` and ``--interface``."""
    listens = [value for name, value in options if name == "listen"]
    last = dict(options)
    if not listens:
        port = last.get("port") or last.get("p") or str(DEFAULT_PORT)
        host = last.get("interface") or last.get("i") or DEFAULT_INTERFACE
        yield Address(_without_wildcard(host), port, path=start.path, line=start.line)
    for listen in listens:
        kind, _, rest = listen.partition(":")
        if kind == "systemd":
            yield from _socket_addresses(socket)
        elif kind in {"tcp", "ssl"}:
            number, interface = _PORT.match(rest), _INTERFACE.search(rest)
            host = interface[1].replace("\\", "") if interface is not None else ""
            port = number[1] if number is not None else ""
            yield Address(_without_wildcard(host), port, kind == "ssl", start.path, start.line)


def _socket_addresses(socket: Unit | None) -> Iterator[Address]:
    for entry in socket.list_entries("Socket", "ListenStream") if socket is not None else ():
        if entry.value.startswith(("/", "@", "vsock:", "vsock-")):
            continue
        host, port = split_port(entry.value)
        if entry.value.isdigit():
            host, port = "", entry.value
        yield Address(_without_wildcard(host), port, path=entry.path, line=entry.line)


def _without_wildcard(host: str) -> str:
    """Return a host; empty if it stands for all addresses."""
    return "" if host in _ALL else host


def _parse_aliases(texts: Sequence[str]) -> Mapping[str, str]:
    aliases = {}
    for text in texts:
        with suppress(SettingInvalid):
            name, host = parse_alias(text)
            aliases[name] = host
    return aliases
