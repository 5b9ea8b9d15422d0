"""TCP ports that several processes share.

Ports are shared with SO_REUSEPORT (socket(7)): the kernel distributes connections to the
processes that listen on the same address. This module is not imported before it is known whether
TLS is used, because ``twisted.internet.tcp`` imports the library for TLS
(``minreg.daemon.lazy_imports``).
"""

import socket
from typing import Any

from twisted.internet.interfaces import IListeningPort, IReactorCore
from twisted.internet.tcp import Port


class _ReusePort(Port):
    """A TCP port with SO_REUSEPORT."""

    def createInternetSocket(self) -> socket.socket:
        """Return the socket to bind."""
        created: socket.socket = super().createInternetSocket()
        created.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return created


class ReusePortReactor:
    """A proxy of a reactor whose TCP ports have SO_REUSEPORT.

    Args:
        reactor: A reactor that polls file descriptors.
    """

    def __init__(self, reactor: IReactorCore) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Listen on a shared port; see ``IReactorTCP``."""
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
        """Listen with TLS on a shared port; see ``IReactorSSL``."""
        from twisted.protocols.tls import TLSMemoryBIOFactory  # noqa: PLC0415 - optional

        return self.listenTCP(port, TLSMemoryBIOFactory(contextFactory, False, factory), **more)  # noqa: FBT003 - Twisted's
