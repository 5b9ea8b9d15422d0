"""A worker process: ``python -m minreg worker SETTINGS`` (``minreg.program.worker_command``)."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorFDSet, IReactorFromThreads, IReadDescriptor
from twisted.logger import globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import implementer

from minreg.daemon.lazy_imports import leave_out_tls
from minreg.settings import ListenEndpoint, Settings


@implementer(IReadDescriptor)
class EndOfInput:
    """Stops the reactor at the end of standard input, when the main process has ended.

    Args:
        reactor: The reactor.
        begin_stop: Records that the process is told to stop, so that a signal that follows does
            not stop the reactor again; returns whether it was told that before.
    """

    def __init__(self, reactor: Any, begin_stop: Callable[[], bool]) -> None:
        self._reactor = reactor
        self._begin_stop = begin_stop

    def fileno(self) -> int:
        """Return the descriptor of standard input."""
        return 0

    def logPrefix(self) -> str:
        """Return the prefix of log lines."""
        return "minreg"

    def doRead(self) -> None:
        """Check for the end; nothing is ever sent."""
        if not os.read(0, 1):
            self._end()

    def connectionLost(self, _reason: Failure) -> None:
        """Stop: the other end is closed."""
        self._end()

    def _end(self) -> None:
        self._reactor.removeReader(self)
        # It may have been told to stop by a signal, and then learns of this while it does.
        if self._begin_stop():
            return
        # That signal may have come before it had a handler of its own.
        with suppress(ReactorNotRunning):
            self._reactor.stop()


def read_settings(text: str) -> Settings:
    """Parse the settings that ``minreg.daemon.workers`` has passed as JSON."""
    fields = json.loads(text)
    listen = tuple(ListenEndpoint(**endpoint) for endpoint in fields.pop("listen"))
    allow_links_to = tuple(fields.pop("allow_links_to"))
    status = fields.pop("status_listen")
    return Settings(
        listen=listen,
        allow_links_to=allow_links_to,
        status_listen=None if status is None else ListenEndpoint(**status),
        **fields,
    )


def _ignore_reload() -> None:
    """Do nothing at SIGHUP: the main process reopens the log, and replaces its workers."""


def main(text: str) -> None:
    """Serve until told to stop, or until the main process has ended.

    Args:
        text: The settings, as ``read_settings`` expects them.
    """
    settings = read_settings(text)
    leave_out_tls(endpoint.description for endpoint in settings.listen)
    # These import Twisted's networking, which comes after the decision about TLS.
    from twisted.internet import reactor  # noqa: PLC0415

    from minreg.daemon import assembly, reuse_port, service, signals  # noqa: PLC0415

    # Only one process can listen on the path of a Unix socket: the main process.
    endpoints = [
        (words, endpoint)
        for words, endpoint in assembly.make_endpoints(
            settings.listen, reuse_port.ReusePortReactor(reactor)
        )
        if not words.lower().startswith(("--listen unix:", "minreg_listen unix:"))
    ]
    observer = assembly.make_daemon_observer(settings.log_format, sys.stdout, reactor)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    store, disk = assembly.make_store(settings), assembly.make_disk(reactor)
    site, _ = assembly.make_all_sites(settings, store, disk, reactor)
    registry = service.RegistryService(site, endpoints, "", observer)
    handlers = signals.Signals(
        reactor.callWhenRunning,
        IReactorFromThreads(reactor).callFromThread,
        _ignore_reload,
        registry.force_stop,
    )
    handlers.setServiceParent(registry)
    service.MemoryTrimmer(service.find_malloc_trim(), reactor).setServiceParent(registry)
    registry.startService()
    reactor.addSystemEventTrigger("before", "shutdown", registry.stopService)
    IReactorFDSet(reactor).addReader(EndOfInput(reactor, handlers.begin_stop))
    reactor.run()
