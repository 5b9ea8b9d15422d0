"""Listening on a Unix socket that was passed."""

import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.python.failure import Failure


class PassedUnixPort(unix.Port):
    """A port whose file is not ours: it is neither given rights nor removed.

    Args:
        passed: The socket, which listens already.
        factory: Makes protocols.
        reactor: Waits for connections.
    """

    def __init__(self, passed: socket.socket, factory: Any, reactor: Any) -> None:
        super().__init__(passed.getsockname(), factory, reactor=reactor)
        self._passed = passed
        # Systemd, and other processes of ours, listen on it, too.
        self._shouldShutdown = False

    def startListening(self) -> None:
        """Take connections."""
        self.socket: Any = self._passed
        self.fileno: Any = self.socket.fileno
        self.factory: Any
        self.factory.doStart()
        self.numberAccepts = 100
        self.connected = True
        self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        """Take none any more."""
        tcp.Port.connectionLost(self, reason)
