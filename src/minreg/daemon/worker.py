"""``python -m minreg.daemon.worker SETTINGS``: what ``workers`` starts, and nobody else."""

import json
import os
import sys
from contextlib import suppress
from typing import Any

from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IReactorFDSet, IReactorFromThreads, IReadDescriptor
from twisted.logger import globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import implementer

from minreg.daemon.assembly import (
    make_all_sites,
    make_daemon_observer,
    make_disk,
    make_endpoints,
    make_store,
)
from minreg.daemon.service import RegistryService
from minreg.daemon.signals import Signals
from minreg.daemon.sockets import ReusePortReactor
from minreg.daemon.tls import leave_out_tls
from minreg.settings import ListenEndpoint, Settings


@implementer(IReadDescriptor)
class EndOfInput:
    """Waits for the end of standard input, which comes when the first process is gone."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def fileno(self) -> int:
        """Name standard input."""
        return 0

    def logPrefix(self) -> str:
        """Say who waits."""
        return "minreg"

    def doRead(self) -> None:
        """Read; nothing is ever sent."""
        if not os.read(0, 1):
            self._end()

    def connectionLost(self, _reason: Failure) -> None:
        """Learn that the other end is closed."""
        self._end()

    def _end(self) -> None:
        self._reactor.removeReader(self)
        # It may have been told to stop by a signal, and then learns of this while it does.
        with suppress(ReactorNotRunning):
            self._reactor.stop()


def read_settings(text: str) -> Settings:
    """Read what ``minreg.daemon.workers`` has written."""
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


def _stay() -> None:
    """At SIGHUP the first process opens the log anew; a worker has nothing to do."""


def main() -> None:
    """Serve until told to stop, or until nobody is there to tell."""
    settings = read_settings(sys.argv[1])
    leave_out_tls(endpoint.description for endpoint in settings.listen)

    # These import Twisted's networking, which comes after the decision about TLS.
    from twisted.internet import reactor  # noqa: PLC0415

    # A socket's file has one process that listens on it.
    endpoints = [
        (words, endpoint)
        for words, endpoint in make_endpoints(settings.listen, ReusePortReactor(reactor))
        if not words.lower().startswith(("--listen unix:", "minreg_listen unix:"))
    ]
    observer = make_daemon_observer(settings.log_format, sys.stdout, reactor)
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    site, _ = make_all_sites(settings, make_store(settings), make_disk(reactor), reactor)
    service = RegistryService(site, endpoints, "", observer)
    signals = Signals(
        reactor.callWhenRunning,
        IReactorFromThreads(reactor).callFromThread,
        _stay,
        service.force_stop,
    )
    signals.setServiceParent(service)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    IReactorFDSet(reactor).addReader(EndOfInput(reactor))
    reactor.run()


if __name__ == "__main__":
    main()
