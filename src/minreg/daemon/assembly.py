"""Building the daemon from its settings."""

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

from minreg.daemon.reuse_port import ReusePortReactor
from minreg.daemon.service import (
    GiveUp,
    Listener,
    MemoryTrimmer,
    RegistryService,
    RootWatch,
    exit_with_error,
    find_malloc_trim,
)
from minreg.daemon.signals import Reloader, Signals
from minreg.daemon.sockets import PassedEndpoint
from minreg.daemon.systemd import Supervision, find_notifier
from minreg.daemon.workers import Workers
from minreg.log import is_journal, make_observer
from minreg.settings import ListenEndpoint, SettingInvalid, Settings
from minreg.store.tree import DeferredTree, RegistryTree
from minreg.web.disk import DiskIO
from minreg.web.fastpath import BufferedLog
from minreg.web.site import RegistrySite
from minreg.web.status.context import StatusOptions
from minreg.web.status.resources import make_sites
from minreg.web.twisted_private import log_descriptor

_RESERVED = 64
_FILES_OF_A_CONNECTION = 3


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard limit, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def most_connections(open_files: int) -> int:
    """Return how many connections a limit of open files allows.

    A connection needs three: its socket, the file that it sends, and a duplicate of the socket
    for ``sendfile``. Some more are reserved for everything else.
    """
    return max(1, (open_files - _RESERVED) // _FILES_OF_A_CONNECTION)


def make_service(
    settings: Settings, log: TextIO, reactor: Any, give_up: GiveUp = exit_with_error
) -> RegistryService:
    """Build the daemon, not yet listening.

    Args:
        settings: What to serve, and where.
        log: The stream that the log is written to.
        reactor: The reactor.
        give_up: Called with a message to end the program if it cannot listen.

    Raises:
        SettingInvalid: An endpoint is invalid.
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
        _describe_registry(settings),
        make_daemon_observer(settings.log_format, log, reactor),
        beside=[Listener(*endpoint, status_site, give_up) for endpoint in status_endpoints],
        workers=workers,
        give_up=give_up,
    )
    MemoryTrimmer(find_malloc_trim(), reactor).setServiceParent(service)
    watch = RootWatch(partial(disk.run, store.check), reactor)
    if settings.waits_for_root:
        watch.setServiceParent(service)
    describe = partial(_describe_state, watch, site)
    reloader = Reloader(log, workers.renew if workers else None)
    reload = _supervise(service, reactor, describe, reloader.reload)
    signals = Signals(reactor.callWhenRunning, reactor.callFromThread, reload, service.force_stop)
    signals.setServiceParent(service)
    return service


def make_endpoints(
    listen: Sequence[ListenEndpoint], reactor: object
) -> list[tuple[str, IStreamServerEndpoint]]:
    """Return the endpoints to listen on, each with the option that describes it.

    Raises:
        SettingInvalid: Twisted does not accept the description of an endpoint.
    """
    endpoints: list[tuple[str, IStreamServerEndpoint]] = []
    for setting in listen:
        if setting.descriptor is not None:
            endpoints.append((setting.words, PassedEndpoint(reactor, setting.descriptor)))
            continue
        try:
            endpoint = serverFromString(reactor, setting.description)
        except (ValueError, TypeError, OSError, ImportError) as error:
            raise SettingInvalid(
                f"{setting.words} is not an endpoint ({error}): "
                "write it as in tcp:9080:interface=127.0.0.1"
            ) from None
        endpoints.append((setting.words, endpoint))
    return endpoints


def make_store(settings: Settings) -> RegistryTree:
    """Return the store for the tree to serve."""
    make = DeferredTree if settings.waits_for_root else RegistryTree
    return make(settings.root, settings.aliases, settings.allow_links_to)


def make_disk(reactor: Any) -> DiskIO:
    """Return a ``DiskIO`` that uses the thread pool of a reactor."""
    threads = IReactorThreads(reactor)
    run = partial(deferToThreadPool, threads, threads.getThreadPool())
    return DiskIO(IReactorTime(reactor), run)


def make_all_sites(
    settings: Settings, store: RegistryTree, disk: DiskIO, reactor: Any
) -> tuple[RegistrySite, RegistrySite]:
    """Return the site of the registry, and the one of its status."""
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
    """Return the observer that writes the daemon's log, for systemd's journal if it goes there.

    Args:
        log_format: One of ``LOG_FORMATS``.
        log: The stream to write to.
        reactor: The reactor; lines are written once in each of its iterations.
    """
    for_journal = is_journal(log, os.environ)
    return make_observer(log_format, BufferedLog(log, reactor), for_journal=for_journal)


def _make_workers(settings: Settings, log: TextIO, reactor: Any) -> Workers | None:
    if settings.workers == 1:
        return None
    return Workers(settings, partial(log_descriptor, log), reactor, os.environ)


def _supervise(
    service: RegistryService,
    clock: IReactorTime,
    describe: Callable[[], str],
    reload: Callable[[], None],
) -> Callable[[], None]:
    """Report the service's state to systemd, if it requests that.

    Returns:
        The function that reloads the daemon, and reports that.
    """
    notifier = find_notifier(os.environ)
    if notifier is None:
        return reload
    supervision = Supervision(notifier, clock, describe)
    supervision.setServiceParent(service)
    return partial(supervision.reload, reload)


def _describe_state(watch: RootWatch, site: RegistrySite) -> str:
    return f"waiting for the root: {watch.problem}" if watch.problem else site.describe()


def _describe_registry(settings: Settings) -> str:
    aliases = ", ".join(f"{name} for {host}" for name, host in settings.aliases.items())
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    return f"{settings.root} (answering as {aliases}{workers})"
