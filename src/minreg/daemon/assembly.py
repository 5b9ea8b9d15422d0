"""Putting the daemon together: from settings to a service."""

import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TextIO

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorThreads, IReactorTime, IStreamServerEndpoint
from twisted.internet.threads import deferToThreadPool
from twisted.logger import FileLogObserver
from twisted.python.logfile import LogFile

from minreg.daemon.activation import PassedEndpoint
from minreg.daemon.limits import most_connections, raise_file_limit
from minreg.daemon.lines import BatchedLines
from minreg.daemon.notify import find_notifier
from minreg.daemon.reload import Reloader
from minreg.daemon.root_watch import RootWatch
from minreg.daemon.service import GiveUp, Listener, RegistryService, leave
from minreg.daemon.sharing import SharingReactor
from minreg.daemon.signals import Signals
from minreg.daemon.supervision import Supervision
from minreg.daemon.workers import Workers
from minreg.log import is_journal, make_observer
from minreg.settings import Endpoint, SettingInvalid, Settings
from minreg.store.awaited import AwaitedTree
from minreg.store.tree import RegistryTree
from minreg.web.connection.site import RegistrySite
from minreg.web.disk import Disk
from minreg.web.status.plan import StatusPlan
from minreg.web.status.resources import make_sites


def make_service(
    settings: Settings, log: TextIO, reactor: Any, give_up: GiveUp = leave
) -> RegistryService:
    """Build the daemon that some settings describe, not yet listening.

    Args:
        settings: What to serve, and where.
        log: What the log is written to.
        reactor: What it runs on.
        give_up: Ends the program where it cannot listen.

    Raises:
        SettingInvalid: It cannot listen where it is to.
    """
    ports = SharingReactor(reactor) if settings.workers > 1 else reactor
    endpoints = make_endpoints(settings.listen, ports)
    status = settings.status_listen
    status_endpoints = make_endpoints([status] if status else [], reactor)
    store, disk = make_store(settings), make_disk(reactor)
    site, status_site = make_all_sites(settings, store, disk, reactor)
    workers = _make_workers(settings, log, reactor)
    service = RegistryService(
        site,
        endpoints,
        _greeting(settings),
        make_daemon_observer(settings.log_format, log, reactor),
        beside=[Listener(*endpoint, status_site, give_up) for endpoint in status_endpoints],
        workers=workers,
        give_up=give_up,
    )
    watch = RootWatch(partial(disk.run, store.check), reactor)
    if settings.waits_for_root:
        watch.setServiceParent(service)
    describe = partial(_describe, watch, site)
    reloader = Reloader(log, workers.renew if workers else None)
    reload = _supervise(service, reactor, describe, reloader.reload)
    signals = Signals(reactor.callWhenRunning, reactor.callFromThread, reload, service.hurry)
    signals.setServiceParent(service)
    return service


def make_endpoints(
    listen: Sequence[Endpoint], reactor: object
) -> list[tuple[str, IStreamServerEndpoint]]:
    """Make the endpoints to listen on, each with the operator's words for it.

    Raises:
        SettingInvalid: Twisted cannot make anything of a description.
    """
    endpoints: list[tuple[str, IStreamServerEndpoint]] = []
    for wanted in listen:
        if wanted.descriptor is not None:
            endpoints.append((wanted.words, PassedEndpoint(reactor, wanted.descriptor)))
            continue
        try:
            endpoint = serverFromString(reactor, wanted.description)
        except (ValueError, TypeError, OSError, ImportError) as error:
            raise SettingInvalid(
                f"{wanted.words} is no endpoint ({error}): "
                "write it as in tcp:9080:interface=127.0.0.1"
            ) from None
        endpoints.append((wanted.words, endpoint))
    return endpoints


def make_store(settings: Settings) -> RegistryTree:
    """Make what reads the tree that is to be served."""
    make = AwaitedTree if settings.waits_for_root else RegistryTree
    return make(settings.root, settings.aliases, settings.allow_links_to)


def make_disk(reactor: Any) -> Disk:
    """Make what waits for the disk in the threads of a reactor."""
    threads = IReactorThreads(reactor)
    run = partial(deferToThreadPool, threads, threads.getThreadPool())
    return Disk(IReactorTime(reactor), run)


def make_all_sites(
    settings: Settings, store: RegistryTree, disk: Disk, reactor: Any
) -> tuple[RegistrySite, RegistrySite]:
    """Build the site over the tree that is to be served, and that of its status."""
    most = most_connections(raise_file_limit())
    return make_sites(store, disk, IReactorTime(reactor), most, _plan_status(settings))


def _plan_status(settings: Settings) -> StatusPlan:
    is_elsewhere = settings.status_listen is not None
    return StatusPlan(
        settings.aliases,
        is_elsewhere,
        settings.has_page,
        workers=settings.workers,
        root=os.path.abspath(settings.root),
        host_name=socket.gethostname(),
    )


def make_daemon_observer(log_format: str, log: TextIO, reactor: Any) -> FileLogObserver:
    """Make what writes the daemon's log, as systemd's journal wants it if the log leads there.

    Args:
        log_format: One of ``LOG_FORMATS``.
        log: Where to write.
        reactor: In whose turns lines are batched.
    """
    for_journal = is_journal(log, os.environ)
    return make_observer(log_format, BatchedLines(log, reactor), for_journal=for_journal)


def _make_workers(settings: Settings, log: TextIO, reactor: Any) -> Workers | None:
    if settings.workers == 1:
        return None
    return Workers(settings, partial(_descriptor_of, log), reactor, os.environ)


def _descriptor_of(log: TextIO) -> int:
    file = log._file if isinstance(log, LogFile) else log  # noqa: SLF001 - no other way
    return file.fileno()


def _supervise(
    service: RegistryService,
    clock: IReactorTime,
    describe: Callable[[], str],
    reload: Callable[[], None],
) -> Callable[[], None]:
    """Let systemd know how the service fares, if it wants to; return how to reload then."""
    notifier = find_notifier(os.environ)
    if notifier is None:
        return reload
    supervision = Supervision(notifier, clock, describe)
    supervision.setServiceParent(service)
    return partial(supervision.reload, reload)


def _describe(watch: RootWatch, site: RegistrySite) -> str:
    return f"waiting for the registry: {watch.problem}" if watch.problem else site.describe()


def _greeting(settings: Settings) -> str:
    aliases = ", ".join(f"{name} for {host}" for name, host in settings.aliases.items())
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    return f"{settings.root} (answering as {aliases}{workers})"
