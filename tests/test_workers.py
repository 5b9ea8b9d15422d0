"""Tests for ``minreg.daemon.workers``, ``minreg.daemon.worker`` and ``minreg.daemon.sockets``."""

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import (
    ConnectionDone,
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.internet.protocol import Factory, ProcessProtocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.reuse_port import ReusePortReactor
from minreg.daemon.worker import read_settings
from minreg.daemon.workers import RESTART_DELAY, Workers
from minreg.settings import ListenEndpoint, Settings

SETTINGS = Settings(
    root="/srv",
    listen=(
        ListenEndpoint("--port 1", "tcp:1"),
        ListenEndpoint("--listen systemd", "systemd", descriptor=5),
    ),
    log_format="json",
    aliases={"a": "docker.io"},
    allow_links_to=("/mnt",),
    workers=3,
    status_listen=ListenEndpoint("--status-listen tcp:2", "tcp:2"),
)


class StartedProcess:
    """A fake process, whose end the test controls."""

    def __init__(self, protocol: ProcessProtocol, arguments: list[str], descriptors: Any) -> None:
        self.protocol = protocol
        self.arguments = arguments
        self.descriptors = descriptors
        self.signals: list[str] = []
        self.is_gone = False
        protocol.makeConnection(self)

    def signalProcess(self, signal: str) -> None:
        """Record a signal."""
        if self.is_gone:
            raise ProcessExitedAlready
        self.signals.append(signal)

    def end(self, reason: Exception) -> None:
        """End the process."""
        self.protocol.processEnded(Failure(reason))


class ProcessReactor(Clock):
    """A reactor that records which processes it should start."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[StartedProcess] = []

    def spawnProcess(
        self, protocol: ProcessProtocol, _executable: str, arguments: list[str], **more: Any
    ) -> StartedProcess:
        """Record a process."""
        process = StartedProcess(protocol, arguments, more["childFDs"])
        self.started.append(process)
        return process


class WorkersTests(SynchronousTestCase):
    """Tests for ``Workers``."""

    def setUp(self) -> None:
        """Start two workers besides this process."""
        self.reactor = ProcessReactor()
        self.log = 7
        self.workers = Workers(SETTINGS, lambda: self.log, self.reactor, {})
        self.workers.startService()

    def test_start(self) -> None:
        """Each worker gets all settings, the log, and the sockets from systemd."""
        self.assertEqual(len(self.reactor.started), 2)
        for process in self.reactor.started:
            self.assertEqual(process.arguments[1:4], ["-m", "minreg", "worker"])
            self.assertEqual(read_settings(process.arguments[4]), SETTINGS)
            self.assertEqual(process.descriptors, {0: "w", 1: 7, 2: 2, 5: 5})

    def test_replace(self) -> None:
        """A worker that ends is replaced after a second, and the log says so."""
        with capturedLogs() as events:
            self.reactor.started[0].end(ProcessTerminated(signal=9))
        self.assertIn("signal 9", events[0]["reason"])
        self.assertEqual(len(self.reactor.started), 2)
        self.reactor.advance(RESTART_DELAY)
        self.assertEqual(len(self.reactor.started), 3)

    def test_renew(self) -> None:
        """``renew`` replaces the workers, and the new ones write to the current log file."""
        self.log = 9
        self.workers.renew()
        with capturedLogs() as events:
            for process in self.reactor.started[:2]:
                self.assertEqual(process.signals, ["TERM"])
                process.end(ProcessDone(0))
        self.assertEqual(events, [])
        self.reactor.advance(RESTART_DELAY)
        self.assertEqual([process.descriptors[1] for process in self.reactor.started[2:]], [9, 9])

    def test_stop(self) -> None:
        """Stopping waits for the workers, and replaces none."""
        self.reactor.started[0].end(ProcessDone(0))
        stopped = self.workers.stopService()
        self.reactor.advance(RESTART_DELAY)
        (last,) = self.reactor.started[1:]
        self.assertEqual(last.signals, ["TERM"])
        self.assertNoResult(stopped)
        last.is_gone = True
        again = self.workers.stopService()
        last.end(ProcessDone(0))
        self.successResultOf(stopped)
        self.successResultOf(again)


class SharingReactorTests(SynchronousTestCase):
    """Tests for ``ReusePortReactor``."""

    def test_shared(self) -> None:
        """A port can be opened twice; all other attributes are the reactor's own."""
        sharing = ReusePortReactor(reactor)
        self.assertEqual(sharing.seconds, reactor.seconds)
        first: Any = sharing.listenTCP(0, Factory(), interface="127.0.0.1")
        second: Any = sharing.listenTCP(first.getHost().port, Factory(), interface="127.0.0.1")
        for port in (first, second):
            shared = port.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
            self.assertEqual(shared, 1)
            port.stopReading()
            port.connectionLost(Failure(ConnectionDone()))
