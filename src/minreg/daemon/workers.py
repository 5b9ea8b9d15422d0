"""More processes for the same ports: ``--workers``.

The first process is the daemon as it always is. It starts the others, each of which serves
the same tree on the same ports (``minreg.daemon.worker``), and replaces those that end. They write
to the same log, each line with one system call. They end with it: told to, they let their
transfers finish; if it is gone, their standard input says so.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from minreg.settings import Settings

RESTART_DELAY = 1.0
"""Seconds after which a worker that has ended is replaced."""


class _Worker(ProcessProtocol):
    """A worker from its start to its end."""

    def __init__(self) -> None:
        self.ended: Deferred[str] = Deferred()
        self.is_told = False

    def processEnded(self, reason: Failure) -> None:
        """Tell that it has ended, whatever the reason is."""
        self.ended.callback(reason.getErrorMessage())

    def stop(self) -> None:
        """Tell it to end."""
        self.is_told = True
        try:
            if self.transport is not None:
                self.transport.signalProcess("TERM")
        except ProcessExitedAlready:
            return


class Workers(Service):
    """Keeps some workers running.

    Args:
        settings: What they serve, and how many of them there are, with this process.
        log: Names the file descriptor that they are to log to.
        reactor: Starts processes, and measures time.
        environment: What the workers find in their environment.
    """

    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        log: Callable[[], int],
        reactor: Any,
        environment: Mapping[str, str],
    ) -> None:
        self._settings = settings
        self._find_log = log
        self._reactor = reactor
        self._environment = environment
        self._running: dict[_Worker, Deferred[None]] = {}

    def startService(self) -> None:
        """Start the workers."""
        super().startService()
        for _ in range(self._settings.workers - 1):
            self._start()

    def stopService(self) -> Deferred[list[None]]:
        """Tell the workers to end, and wait until they have."""
        super().stopService()
        self.renew()
        return gatherResults(self._running.values())

    def renew(self) -> None:
        """Have other workers in their place: these write to the log as it was when they came."""
        for worker in self._running:
            worker.stop()

    def _start(self) -> None:
        if not self.running:
            return
        worker = _Worker()
        settings = json.dumps(attrs.asdict(self._settings))
        passed = {endpoint.descriptor for endpoint in self._settings.listen} - {None}
        self._reactor.spawnProcess(
            worker,
            sys.executable,
            [sys.executable, "-m", "minreg.daemon.worker", settings],
            env=dict(self._environment),
            childFDs={0: "w", 1: self._find_log(), 2: 2, **{n: n for n in passed}},
        )
        self._running[worker] = worker.ended.addCallback(self._replace, worker)

    def _replace(self, reason: str, worker: _Worker) -> None:
        del self._running[worker]
        if self.running:
            if not worker.is_told:
                self._log.warn("a worker has ended and is replaced: {reason}", reason=reason)
            self._reactor.callLater(RESTART_DELAY, self._start)
