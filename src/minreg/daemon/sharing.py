"""TCP ports on which several processes listen at once.

With SO_REUSEPORT (socket(7)) each process has a queue of connections of its own, and the
kernel spreads clients over them evenly. A socket that all inherit would not do that: whoever
is awake takes what it can get.
"""

import socket
from typing import Any

from twisted.internet.interfaces import IListeningPort, IReactorCore
from twisted.internet.tcp import Port


class _SharedPort(Port):
    """A port that does not mind others of the same user on its address."""

    def createInternetSocket(self) -> socket.socket:
        """Make the socket that is going to be bound."""
        made: socket.socket = super().createInternetSocket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return made


class SharingReactor:
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
        shared = _SharedPort(port, factory, backlog, interface, self._reactor)
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
