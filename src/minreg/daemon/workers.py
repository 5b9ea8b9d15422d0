"""Worker processes: ``--workers``.

The main process is a complete daemon. It also starts the workers (``minreg.daemon.worker``), each
of which serves the same tree on the same ports, and replaces those that end. All write to the same
log, each line with one system call. When the main process is told to stop, it stops the workers,
which finish their transfers first. If it dies, they find the end of their standard input.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from minreg.program import worker_command
from minreg.settings import Settings

RESTART_DELAY = 1.0
"""Seconds until a worker that has ended is replaced."""


class _Worker(ProcessProtocol):
    """The process of one worker."""

    def __init__(self) -> None:
        self.ended: Deferred[str] = Deferred()
        self.is_stopping = False

    def processEnded(self, reason: Failure) -> None:
        """Fire ``ended`` with the reason."""
        self.ended.callback(reason.getErrorMessage())

    def stop(self) -> None:
        """Send SIGTERM to the process."""
        self.is_stopping = True
        try:
            if self.transport is not None:
                self.transport.signalProcess("TERM")
        except ProcessExitedAlready:
            return


class Workers(Service):
    """Keeps workers running.

    Args:
        settings: What they serve, and the number of processes, including this one.
        log: Returns the file descriptor that they write their log to.
        reactor: Starts processes, and measures time.
        environment: The environment of the workers.
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
        """Tell the workers to stop, and wait until they have ended."""
        super().stopService()
        self.renew()
        return gatherResults(self._running.values())

    def renew(self) -> None:
        """Replace all workers: each keeps the log file that was open when it started."""
        for worker in self._running:
            worker.stop()

    def _start(self) -> None:
        if not self.running:
            return
        worker = _Worker()
        settings = json.dumps(attrs.asdict(self._settings))
        passed = {endpoint.descriptor for endpoint in self._settings.listen} - {None}
        command = worker_command()
        self._reactor.spawnProcess(
            worker,
            command[0],
            [*command, settings],
            env=dict(self._environment),
            childFDs={0: "w", 1: self._find_log(), 2: 2, **{n: n for n in passed}},
        )
        self._running[worker] = worker.ended.addCallback(self._replace, worker)

    def _replace(self, reason: str, worker: _Worker) -> None:
        del self._running[worker]
        if self.running:
            if not worker.is_stopping:
                self._log.warn("a worker has ended and is replaced: {reason}", reason=reason)
            self._reactor.callLater(RESTART_DELAY, self._start)
