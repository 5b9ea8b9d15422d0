"""How much the operating system lets this process have open."""

import os
import resource
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TextIO

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IReactorThreads, IReactorTime, IStreamServerEndpoint
from twisted.internet.threads import deferToThreadPool
from twisted.logger import FileLogObserver
from twisted.python.logfile import LogFile

from minreg.daemon.service import GiveUp, Listener, RegistryService, RootWatch, exit_with_error
from minreg.daemon.signals import Reloader, Signals
from minreg.daemon.sockets import PassedEndpoint, ReusePortReactor
from minreg.daemon.systemd import Supervision, find_notifier
from minreg.daemon.workers import Workers
from minreg.log import is_journal, make_observer
from minreg.settings import ListenEndpoint, SettingInvalid, Settings
from minreg.store.tree import DeferredTree, RegistryTree
from minreg.web.disk import DiskIO
from minreg.web.fastpath.buffered_log import BufferedLog
from minreg.web.site import RegistrySite
from minreg.web.status.plan import StatusOptions
from minreg.web.status.resources import make_sites

_RESERVED = 64
_FILES_OF_A_CONNECTION = 3


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def most_connections(open_files: int) -> int:
    """Tell how many connections can be served with so many files open.

    Each is a file itself, may send another one, and is open twice while it does so; a few
    are needed for all else.
    """
    return max(1, (open_files - _RESERVED) // _FILES_OF_A_CONNECTION)


def make_service(
    settings: Settings, log: TextIO, reactor: Any, give_up: GiveUp = exit_with_error
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
    ports = ReusePortReactor(reactor) if settings.workers > 1 else reactor
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
    signals = Signals(reactor.callWhenRunning, reactor.callFromThread, reload, service.force_stop)
    signals.setServiceParent(service)
    return service


def make_endpoints(
    listen: Sequence[ListenEndpoint], reactor: object
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
    make = DeferredTree if settings.waits_for_root else RegistryTree
    return make(settings.root, settings.aliases, settings.allow_links_to)


def make_disk(reactor: Any) -> DiskIO:
    """Make what waits for the disk in the threads of a reactor."""
    threads = IReactorThreads(reactor)
    run = partial(deferToThreadPool, threads, threads.getThreadPool())
    return DiskIO(IReactorTime(reactor), run)


def make_all_sites(
    settings: Settings, store: RegistryTree, disk: DiskIO, reactor: Any
) -> tuple[RegistrySite, RegistrySite]:
    """Build the site over the tree that is to be served, and that of its status."""
    most = most_connections(raise_file_limit())
    return make_sites(store, disk, IReactorTime(reactor), most, _plan_status(settings))


def _plan_status(settings: Settings) -> StatusOptions:
    is_elsewhere = settings.status_listen is not None
    return StatusOptions(
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
    return make_observer(log_format, BufferedLog(log, reactor), for_journal=for_journal)


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
