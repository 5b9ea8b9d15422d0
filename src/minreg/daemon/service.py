"""The daemon as a Twisted service: listening, stopping gracefully, and watching the root."""

import errno
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.task import LoopingCall
from twisted.logger import FileLogObserver, ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from minreg import __version__
from minreg.store.interfaces import StoreUnavailable
from minreg.web.site import RegistrySite

DRAIN_TIMEOUT = 30
"""Seconds that transfers in progress have to finish when the daemon is told to stop."""

GiveUp = Callable[[str], NoReturn]

_FIX = "choose another --port, --interface or --listen"
_FIXES = {
    errno.EADDRINUSE: f"stop what else listens there, or {_FIX}",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address: choose another",
    errno.EACCES: "run it as root, or choose a --port from 1024 on",
}
_WRITABLE = (
    "choose a directory that exists and is writable, such as /run/minreg, which the systemd "
    "service creates"
)
_PATH_FIXES = {
    errno.EADDRINUSE: _FIXES[errno.EADDRINUSE],
    **dict.fromkeys((errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS), _WRITABLE),
}

_LOCAL_ADDRESSES = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}
"""Addresses that stand for all interfaces, and the address at which the machine itself is."""

_log = Logger()


class StartFailed(Exception):
    """The daemon does not start. The message says why, and what to do."""


def exit_with_error(message: str) -> NoReturn:
    """Print an error, and exit with status 1.

    Raises:
        SystemExit: Always.
    """
    print_error(message)
    raise SystemExit(1)


def exit_with_logged_error(message: str) -> NoReturn:
    """Log an error, and end a program that has left its terminal.

    Raises:
        StartFailed: Always. The ``twistd`` at the terminal waits for that before it exits.
    """
    _log.error("{reason}", event="listen_failed", reason=message)
    # Python also writes the traceback of the exception into the log. Limit that to one line.
    sys.tracebacklimit = 0
    raise StartFailed(message)


def print_error(message: str) -> None:
    """Print why the daemon does not start on the real standard error, and not into the log."""
    stream = sys.__stderr__ or sys.stderr
    stream.write(f"minreg: {message}\n")
    stream.flush()


class RegistryService(MultiService):
    """Serves a site on some endpoints.

    Args:
        site: The site to serve.
        endpoints: The endpoints to listen on, each with the option that describes it.
        description: The registry that is served, for the log. If it is empty, as in a worker,
            the start and the stop are not logged.
        observer: Writes the log.
        beside: Listeners for other sites, which are stopped last.
        workers: The other processes that serve the site.
        give_up: Called with a message to end the program if it cannot listen.
    """

    def __init__(
        self,
        site: RegistrySite,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        description: str,
        observer: FileLogObserver,
        *,
        beside: Sequence["Listener"] = (),
        workers: Service | None = None,
        give_up: GiveUp = exit_with_error,
    ) -> None:
        super().__init__()
        self.observer = observer
        self._site = site
        self._description = description
        self._workers = workers or Service()
        self._listeners = [Listener(*endpoint, site, give_up) for endpoint in endpoints]
        self._beside = beside
        for listener in (*self._listeners, *beside):
            listener.setServiceParent(self)

    def setServiceParent(self, parent: IService | Componentized) -> None:
        """Become part of an application, and set its log observer before it starts logging."""
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Listen, and log what is served where."""
        super().startService()
        self._workers.startService()
        if not self._description:
            return
        _log.info(
            "minreg {version}: serving {registry} at {listeners}",
            event="start",
            version=__version__,
            registry=self._description,
            listeners=_join_listeners(self._listeners),
        )
        if self._beside:
            _log.info(
                "serving the status at {listeners}",
                event="status",
                listeners=_join_listeners(self._beside),
            )

    def stopService(self) -> Deferred[None]:
        """Refuse new connections, and wait for the transfers in progress."""
        return Deferred.fromCoroutine(self._stop())

    def force_stop(self) -> None:
        """Abort the transfers that a stop waits for, here and in the other processes."""
        if self._description:
            _log.info("told to stop again: aborting transfers", event="stop")
        self._site.abort_all()
        self._workers.stopService()

    async def _stop(self) -> None:
        if self._description:
            _log.info("stopping: transfers in progress may finish", event="stop")
        workers = maybeDeferred(self._workers.stopService)
        first = [service for service in self if service not in self._beside]
        await gatherResults([maybeDeferred(each.stopService) for each in reversed(first)])
        await self._site.drain(DRAIN_TIMEOUT)
        await workers
        await gatherResults([listener.stopService() for listener in self._beside])
        Service.stopService(self)
        if self._description:
            _log.info("stopped", event="stopped")


class Listener(Service):
    """Listens on one endpoint. If that fails, the program ends."""

    def __init__(
        self,
        words: str,
        endpoint: IStreamServerEndpoint,
        site: RegistrySite,
        give_up: GiveUp = exit_with_error,
    ) -> None:
        self._words = words
        self._give_up = give_up
        self._endpoint = endpoint
        self._site = site
        self._port: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Listen while the process may still have root's privileges."""
        super().privilegedStartService()
        failures: list[Failure] = []
        self._endpoint.listen(self._site).addCallbacks(self._keep, failures.append)
        for failure in failures:
            self._fail(failure)

    def startService(self) -> None:
        """Listen, if ``privilegedStartService`` was not called."""
        super().startService()
        if self._port is None:
            self.privilegedStartService()

    async def _stop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            self._site.listeners.remove(self._describe(port))
            await maybeDeferred(port.stopListening)

    def stopService(self) -> Deferred[None]:
        """Stop listening."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def describe(self) -> str:
        """Return the URL at which clients find it, or ``unix:`` and the path of a Unix socket."""
        return self._words if self._port is None else self._describe(self._port)

    def _describe(self, port: IListeningPort) -> str:
        address = port.getHost()
        return _url(address, self._words) or _socket(address) or self._words

    def _keep(self, port: IListeningPort) -> None:
        self._port = port
        self._site.listeners.append(self._describe(port))
        url = _url(port.getHost(), self._words)
        for every, local in _LOCAL_ADDRESSES.items():
            url = url.replace(every, local)
        self._site.url = self._site.url or url

    def _fail(self, failure: Failure) -> NoReturn:
        problem = getattr(failure.value, "socketError", failure.value)
        reason = getattr(problem, "strerror", None) or str(problem)
        fixes = _PATH_FIXES if "listen unix:" in self._words.lower() else _FIXES
        fix = fixes.get(getattr(problem, "errno", 0), _FIX)
        self._give_up(f"{self._words}: cannot listen there: {reason}: {fix}")


def _join_listeners(listeners: Iterable[Listener]) -> str:
    return ", ".join(listener.describe() for listener in listeners)


def _socket(address: IAddress) -> str:
    """Return ``unix:`` and the path of a Unix socket; empty for another address."""
    name = getattr(address, "name", None)
    return f"unix:{os.fsdecode(name)}" if name else ""


def _url(address: IAddress, words: str) -> str:
    """Return the URL of an address; empty for a Unix socket."""
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None or port is None:
        return ""
    scheme = "https" if "listen ssl:" in words.lower() else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


TRIM_INTERVAL = 60.0
"""Seconds between two times that unused memory is returned to the kernel."""


class MemoryTrimmer(Service):
    """Regularly returns memory that the process no longer uses to the kernel.

    glibc keeps freed memory below a block that is still in use, and cached responses lie between
    the buffers of finished ones. Measured after 200,000 requests of all kinds: 61 MB without this,
    and 51 MB with it. A call takes about a millisecond.

    Args:
        trim: Returns the memory, as glibc's ``malloc_trim`` does; its argument is the number of
            bytes to keep.
        clock: Measures time.
    """

    def __init__(self, trim: Callable[[int], object], clock: IReactorTime) -> None:
        self._calls = LoopingCall(trim, 0)
        self._calls.clock = clock

    def startService(self) -> None:
        """Start the calls."""
        super().startService()
        self._calls.start(TRIM_INTERVAL, now=False)

    def stopService(self) -> None:
        """Stop the calls."""
        super().stopService()
        self._calls.stop()


def find_malloc_trim() -> Callable[[int], object]:
    """Return ``malloc_trim`` of the C library, or a function that does nothing if it has none.

    Source: malloc_trim(3). musl has none, and a Python that was built without libffi no ctypes.
    """
    try:
        from ctypes import CDLL  # noqa: PLC0415 - may be missing

        trim: Callable[[int], object] = CDLL(None).malloc_trim
    except (ImportError, AttributeError, OSError):
        return _keep_memory
    return trim


def _keep_memory(_size: int) -> None:
    """Do nothing."""


INTERVAL = 2.0
"""Seconds between checks of the root."""


class RootWatch(Service):
    """Checks regularly whether the root is available, and logs when that changes.

    Attributes:
        problem: Why the root is not available; empty if it is.

    Args:
        check: Returns a Deferred that fails with ``StoreUnavailable`` if it is not.
        clock: Measures time.
    """

    _log = Logger()

    def __init__(self, check: Callable[[], Deferred[None]], clock: IReactorTime) -> None:
        self.problem = ""
        self._check = check
        self._checks = LoopingCall(self._check_again)
        self._checks.clock = clock

    def startService(self) -> None:
        """Start checking."""
        super().startService()
        self._checks.start(INTERVAL)

    def stopService(self) -> None:
        """Stop checking."""
        super().stopService()
        self._checks.stop()

    def _check_again(self) -> Deferred[None]:
        return self._check().addCallbacks(self._report_available, self._report_unavailable)

    def _report_available(self, _nothing: None) -> None:
        if self.problem:
            self.problem = ""
            self._log.info("the root is available now, and served", event="root_available")

    def _report_unavailable(self, failure: Failure) -> None:
        failure.trap(StoreUnavailable)
        if not self.problem:
            self._log.warn(
                "waiting for the root: {reason}",
                event="root_unavailable",
                reason=str(failure.value),
            )
        self.problem = str(failure.value)
