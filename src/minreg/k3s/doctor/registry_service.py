"""minreg's own units as they are in force on a node: what they serve, and where they listen."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import attrs

from minreg.defaults import DEFAULT_ALIAS, DEFAULT_INTERFACE, DEFAULT_PORT, NODE_TREES
from minreg.k3s.doctor.files import NodeFiles
from minreg.k3s.doctor.services import Service, read_service
from minreg.k3s.doctor.systemd_units import Entry, Unit, find_unit
from minreg.k3s.registries.endpoints import is_local, split_port
from minreg.options import DAEMON_OPTIONS
from minreg.settings import SettingInvalid, parse_alias

SERVICE = "minreg.service"
SOCKET = "minreg.socket"

# In a description of an endpoint of Twisted, whose colons may or may not be escaped by now.
_PORT = re.compile(r"(?:port=)?(\d+)")
_INTERFACE = re.compile(r"interface=(.+?)(?=:[A-Za-z]+=|\Z)")
_ALL = frozenset({"", "0.0.0.0", "::", "*"})  # noqa: S104 - nothing is bound here


@attrs.frozen
class Address:
    """An address of TCP that the registry listens on, and where that is written.

    ``host`` is empty where it listens on all addresses.
    """

    host: str
    port: str
    is_tls: bool = False
    path: str = ""
    line: int = 0

    def is_reached_by(self, host: str) -> bool:
        """Tell whether an endpoint's host, with its port, leads here from this node."""
        name, port = split_port(host)
        if port != self.port:
            return False
        is_loopback = name == "localhost" and is_local(self.host)
        return self.host == name or is_loopback or (not self.host and is_local(name))

    @property
    def url(self) -> str:
        """What an endpoint on this node says to lead here."""
        host = self.host or "127.0.0.1"
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self.is_tls else 'http'}://{host}:{self.port}"


@attrs.frozen
class InstalledRegistry:
    """What the units make of the registry.

    ``unit`` is that of the service, whatever it runs; ``service`` is None unless it runs minreg.
    ``root`` is the tree that it serves, ``links`` where links in it may lead to, and ``aliases``
    the names it goes by.
    """

    service: Service | None = None
    socket: Unit | None = None
    root: str = NODE_TREES[0]
    addresses: Sequence[Address] = ()
    aliases: Mapping[str, str] = attrs.field(factory=lambda: _parse_aliases([DEFAULT_ALIAS]))
    links: Sequence[str] = ()
    unit: Unit | None = None

    @property
    def is_installed(self) -> bool:
        """Whether there are units at all."""
        return self.service is not None or self.socket is not None

    @property
    def units(self) -> list[Unit]:
        """The units that are there."""
        return [unit for unit in (self.unit, self.socket) if unit is not None]

    def address_for(self, host: str) -> Address | None:
        """Find the address that an endpoint's host leads to, if it leads here."""
        reached = (address for address in self.addresses if address.is_reached_by(host))
        return next(reached, None)


def inspect_registry_service(files: NodeFiles) -> InstalledRegistry:
    """Read minreg's units."""
    service = read_service(files, SERVICE, "twistd") or read_service(files, SERVICE, "minreg")
    unit, socket = find_unit(files, SERVICE), find_unit(files, SOCKET)
    if service is None:
        return InstalledRegistry(None, socket, addresses=tuple(_sockets(socket)), unit=unit)
    options = list(_options(service.words))
    options += _from_environment(options, service.environment)
    roots = [value for name, value in options if name in {"root", "r"}]
    aliases = [value for name, value in options if name == "registry-alias"]
    links = [value for name, value in options if name == "allow-links-to"]
    return InstalledRegistry(
        service,
        socket,
        roots[-1] if roots else NODE_TREES[0],
        tuple(_addresses(service.start, options, socket)),
        _parse_aliases([DEFAULT_ALIAS, *aliases]),
        links,
        unit,
    )


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Take options apart; those without a value get the word behind them, which does no harm."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("-"):
            name, separator, value = word.lstrip("-").partition("=")
            yield name, value if separator else following


def _from_environment(
    options: Sequence[tuple[str, str]], environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Give the options that only the environment has, as the daemon reads it."""
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
    """Find out where the service listens: what ``--listen`` says, or else port and interface."""
    listens = [value for name, value in options if name == "listen"]
    given = dict(options)
    if not listens:
        port = given.get("port") or given.get("p") or str(DEFAULT_PORT)
        host = given.get("interface") or given.get("i") or DEFAULT_INTERFACE
        yield Address(_everywhere(host), port, path=start.path, line=start.line)
    for listen in listens:
        kind, _, rest = listen.partition(":")
        if kind == "systemd":
            yield from _sockets(socket)
        elif kind in {"tcp", "ssl"}:
            number, interface = _PORT.match(rest), _INTERFACE.search(rest)
            host = interface[1].replace("\\", "") if interface is not None else ""
            port = number[1] if number is not None else ""
            yield Address(_everywhere(host), port, kind == "ssl", start.path, start.line)


def _sockets(socket: Unit | None) -> Iterator[Address]:
    for entry in socket.listed("Socket", "ListenStream") if socket is not None else ():
        if entry.value.startswith(("/", "@", "vsock:", "vsock-")):
            continue
        host, port = split_port(entry.value)
        if entry.value.isdigit():
            host, port = "", entry.value
        yield Address(_everywhere(host), port, path=entry.path, line=entry.line)


def _everywhere(host: str) -> str:
    return "" if host in _ALL else host


def _parse_aliases(texts: Sequence[str]) -> Mapping[str, str]:
    aliases = {}
    for text in texts:
        with suppress(SettingInvalid):
            name, host = parse_alias(text)
            aliases[name] = host
    return aliases
