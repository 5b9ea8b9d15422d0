"""Sockets that systemd opens and passes on: the protocol of sd_listen_fds(3), without libsystemd.

Twisted has an endpoint for one of them, ``systemd:``. It does not do here: it wants to be told
the socket's family, finds none where sockets have no names, and closes what workers need.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorCore,
    IStreamServerEndpoint,
)
from twisted.internet.tcp import Port
from zope.interface import implementer

_FIRST = 3
_NAMELESS = "unknown"
_KEYS = frozenset({"domain", "index", "name"})


@attrs.frozen
class PassedSocket:
    """A socket that systemd has passed, and what it calls that (``FileDescriptorName=``)."""

    descriptor: int
    name: str


def find_sockets(environment: Mapping[str, str], process: int) -> list[PassedSocket]:
    """Find the sockets that were passed.

    Args:
        environment: What the process was started with, as sd_listen_fds_with_names(3) reads it.
        process: The number of this process; what was passed to another is not ours.
    """
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(process) or not count.isdecimal():
        return []
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    if len(names) != int(count):
        names = [_NAMELESS] * int(count)
    return [PassedSocket(descriptor, name) for descriptor, name in enumerate(names, _FIRST)]


def find_passed() -> list[PassedSocket]:
    """Find the sockets that were passed to this process.

    They are read from what it was started with (proc_pid_environ(5)), for Twisted takes out of
    the environment what it has seen.
    """
    with open("/proc/self/environ", "rb") as file:
        entries = os.fsdecode(file.read()).split("\0")
    environment = {name: value for name, _, value in (entry.partition("=") for entry in entries)}
    return find_sockets(environment, os.getpid())


def is_passed(description: str) -> bool:
    """Tell whether an endpoint is one that systemd opens."""
    return description.partition(":")[0] == "systemd"


def choose_sockets(sockets: Sequence[PassedSocket], description: str) -> list[PassedSocket]:
    """Choose those that an endpoint means.

    Args:
        sockets: What there is.
        description: ``systemd`` for all, ``systemd:name=NAME`` for those of a name,
            ``systemd:index=N`` for one. ``domain=``, the family, is what a socket knows itself.

    Raises:
        ValueError: It is written in another way.
    """
    wanted = dict(part.split("=", 1) for part in description.split(":")[1:])
    if not wanted.keys() <= _KEYS:
        raise ValueError(description)
    return [
        passed
        for passed in sockets
        if wanted.get("name", passed.name) == passed.name
        and int(wanted.get("index", passed.descriptor - _FIRST)) == passed.descriptor - _FIRST
    ]


@implementer(IStreamServerEndpoint)
class PassedEndpoint:
    """Listens on a socket that was passed, which stays open for others to be handed to.

    Args:
        reactor: An ``IReactorSocket``.
        descriptor: The socket.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:  # noqa: N803 - Twisted's name
        """See ``IStreamServerEndpoint``."""
        return maybeDeferred(self._listen, protocolFactory)

    def _listen(self, factory: Any) -> IListeningPort:
        passed = socket.socket(fileno=os.dup(self._descriptor))
        os.set_blocking(passed.fileno(), False)
        port: IListeningPort
        if passed.family == socket.AF_UNIX:
            # Loaded lazily: most nodes listen on TCP only.
            from minreg.daemon.unix_port import PassedUnixPort  # noqa: PLC0415

            port = PassedUnixPort(passed, factory, self._reactor)
            port.startListening()
            return port
        with passed:
            port = self._reactor.adoptStreamPort(passed.fileno(), passed.family, factory)
        return port


class _ReusePort(Port):
    """A port that does not mind others of the same user on its address."""

    def createInternetSocket(self) -> socket.socket:
        """Make the socket that is going to be bound."""
        made: socket.socket = super().createInternetSocket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return made


class ReusePortReactor:
    """A reactor whose TCP ports are shared; everything else is the reactor's own.

    Args:
        reactor: A reactor that waits for file descriptors.
    """

    def __init__(self, reactor: IReactorCore) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Listen as the reactor would, and let others do so as well."""
        shared = _ReusePort(port, factory, backlog, interface, self._reactor)
        shared.startListening()
        return shared

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,  # noqa: N803 - Twisted's name
        **more: Any,
    ) -> IListeningPort:
        """Listen with TLS, as the reactor would."""
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - optional

        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), **more)  # noqa: FBT003 - Twisted's
