"""Sockets that systemd passes.

They follow the protocol of sd_listen_fds(3), which needs no libsystemd. Twisted's own
endpoint for them, ``systemd:``, cannot be used: it has to be told the socket's family, finds no
socket if systemd gives them no names, and closes descriptors that the workers need.
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
    IStreamServerEndpoint,
)
from zope.interface import implementer

_FIRST = 3
_NAMELESS = "unknown"
_KEYS = frozenset({"domain", "index", "name"})


@attrs.frozen
class PassedSocket:
    """A socket that systemd has passed, with its name (``FileDescriptorName=``)."""

    descriptor: int
    name: str


def find_sockets(environment: Mapping[str, str], process: int) -> list[PassedSocket]:
    """Return the sockets that were passed.

    Args:
        environment: The variables at the start of the process (sd_listen_fds_with_names(3)).
        process: The PID of this process. Sockets for another one are ignored.
    """
    count = environment.get("LISTEN_FDS", "")
    if environment.get("LISTEN_PID") != str(process) or not count.isdecimal():
        return []
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    if len(names) != int(count):
        names = [_NAMELESS] * int(count)
    return [PassedSocket(descriptor, name) for descriptor, name in enumerate(names, _FIRST)]


def find_passed() -> list[PassedSocket]:
    """Return the sockets that were passed to this process.

    The environment is read from /proc (proc_pid_environ(5)), because Twisted removes the
    variables from ``os.environ``.
    """
    with open("/proc/self/environ", "rb") as file:
        entries = os.fsdecode(file.read()).split("\0")
    environment = {name: value for name, _, value in (entry.partition("=") for entry in entries)}
    return find_sockets(environment, os.getpid())


def is_passed(description: str) -> bool:
    """Return whether an endpoint means sockets that systemd passes."""
    return description.partition(":")[0] == "systemd"


def choose_sockets(sockets: Sequence[PassedSocket], description: str) -> list[PassedSocket]:
    """Return the sockets that an endpoint means.

    Args:
        sockets: The sockets that were passed.
        description: ``systemd`` for all, ``systemd:name=NAME`` for those of a name,
            ``systemd:index=N`` for one. ``domain=``, the family, is accepted and ignored.

    Raises:
        ValueError: The description is malformed.
    """
    parameters = dict(part.split("=", 1) for part in description.split(":")[1:])
    if not parameters.keys() <= _KEYS:
        raise ValueError(description)
    return [
        passed
        for passed in sockets
        if parameters.get("name", passed.name) == passed.name
        and int(parameters.get("index", passed.descriptor - _FIRST)) == passed.descriptor - _FIRST
    ]


@implementer(IStreamServerEndpoint)
class PassedEndpoint:
    """Listens on a duplicate of a passed socket; the socket itself is passed on to workers.

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
