"""A port on a Unix socket that systemd has passed.

A module of its own, because it is loaded lazily: ``twisted.internet.unix`` is only needed where a
daemon listens on such a socket. It sets a private attribute of Twisted, ``_shouldShutdown``;
``tests/test_daemon_sockets.py`` fails if that has no effect.
"""

import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.python.failure import Failure


class PassedUnixPort(unix.Port):
    """A port on a passed socket, whose file is neither given permissions nor removed.

    Args:
        passed: The socket, which is listening already.
        factory: Builds the protocols.
        reactor: The reactor.
    """

    def __init__(self, passed: socket.socket, factory: Any, reactor: Any) -> None:
        super().__init__(passed.getsockname(), factory, reactor=reactor)
        self._passed = passed
        # systemd and the other workers listen on the same socket.
        self._shouldShutdown = False

    def startListening(self) -> None:
        """Accept connections."""
        self.socket: Any = self._passed
        self.fileno: Any = self.socket.fileno
        self.factory: Any
        self.factory.doStart()
        self.numberAccepts = 100
        self.connected = True
        self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """Stop, and leave the socket's file where it is."""
        tcp.Port.connectionLost(self, reason)
