"""The daemon as a service: it listens, says so, and ends without cutting anyone off."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
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
"""Seconds that transfers under way may take to finish once the daemon is told to stop."""

GiveUp = Callable[[str], NoReturn]

_MEND = "choose another --port, --interface or --listen"
_MENDS = {
    errno.EADDRINUSE: f"stop what else listens there, or {_MEND}",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address: choose another",
    errno.EACCES: "run it as root, or choose a --port from 1024 on",
}
_WRITABLE = (
    "choose a directory that is there and may be written to: the service has /run/minreg for that"
)
_MENDS_OF_PATHS = {
    errno.EADDRINUSE: _MENDS[errno.EADDRINUSE],
    **dict.fromkeys((errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS), _WRITABLE),
}

_ON_THIS_MACHINE = {"//0.0.0.0:": "//127.0.0.1:", "//[::]:": "//[::1]:"}
"""Addresses that stand for all of a machine, and how it reaches itself."""

_log = Logger()


class StartFailed(Exception):
    """The daemon does not start; the message says why, and the mend."""


def exit_with_error(message: str) -> NoReturn:
    """End the program with a complaint.

    Raises:
        SystemExit: Always.
    """
    print_error(message)
    raise SystemExit(1)


def exit_with_logged_error(message: str) -> NoReturn:
    """End a program that is not at its terminal any more.

    Raises:
        StartFailed: Always. ``twistd`` waits there for it to say so, and only then exits.
    """
    _log.error("{reason}", event="deaf", reason=message)
    # Python is about to write its own account of that into the log: one line is enough.
    sys.tracebacklimit = 0
    raise StartFailed(message)


def print_error(message: str) -> None:
    """Tell whoever starts the daemon why it does not start, past any log."""
    stream = sys.__stderr__ or sys.stderr
    stream.write(f"minreg: {message}\n")
    stream.flush()


class RegistryService(MultiService):
    """Serves a site on some endpoints.

    Args:
        site: What to serve.
        endpoints: Where, each with the words that the operator used for it.
        greeting: What to say about the place that is served; a worker that has nothing to
            say does not tell when it stops, either.
        observer: Writes the log.
        beside: Listeners for what is served beside the site. They end last.
        workers: Serves the same in other processes.
        give_up: Ends the program where it cannot listen.
    """

    def __init__(
        self,
        site: RegistrySite,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        greeting: str,
        observer: FileLogObserver,
        *,
        beside: Sequence["Listener"] = (),
        workers: Service | None = None,
        give_up: GiveUp = exit_with_error,
    ) -> None:
        super().__init__()
        self.observer = observer
        self._site = site
        self._greeting = greeting
        self._workers = workers or Service()
        self._listeners = [Listener(*endpoint, site, give_up) for endpoint in endpoints]
        self._beside = beside
        for listener in (*self._listeners, *beside):
            listener.setServiceParent(self)

    def setServiceParent(self, parent: IService | Componentized) -> None:
        """Become part of an application, and write its log from its first line on."""
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Listen, and tell the operator what is served where."""
        super().startService()
        self._workers.startService()
        if not self._greeting:
            return
        places = ", ".join(listener.describe() for listener in self._listeners)
        _log.info(
            "minreg {version}: serving {greeting} at {places}",
            event="start",
            version=__version__,
            greeting=self._greeting,
            places=places,
        )
        if self._beside:
            places = ", ".join(listener.describe() for listener in self._beside)
            _log.info("status is at {places}", event="status", places=places)

    def stopService(self) -> Deferred[None]:
        """Refuse new connections, and wait for the transfers that are under way."""
        return Deferred.fromCoroutine(self._stop())

    def force_stop(self) -> None:
        """End a stop at once, here and in the other processes: wait for no transfer."""
        if self._greeting:
            _log.info("told to stop once more", event="stop")
        self._site.abort_all()
        self._workers.stopService()

    async def _stop(self) -> None:
        if self._greeting:
            _log.info("stopping: transfers under way may finish", event="stop")
        workers = maybeDeferred(self._workers.stopService)
        company = [service for service in self if service not in self._beside]
        await gatherResults([maybeDeferred(each.stopService) for each in reversed(company)])
        await self._site.drain(DRAIN_TIMEOUT)
        await workers
        await gatherResults([listener.stopService() for listener in self._beside])
        Service.stopService(self)
        if self._greeting:
            _log.info("stopped", event="stopped")


class Listener(Service):
    """Listens on one endpoint, or ends the program: a deaf daemon is of no use."""

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
        """Listen while the process may still have the right to."""
        super().privilegedStartService()
        failures: list[Failure] = []
        self._endpoint.listen(self._site).addCallbacks(self._keep, failures.append)
        for failure in failures:
            self._fail(failure)

    def startService(self) -> None:
        """Listen, if that has not happened yet."""
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
        """Name the place as a client would: a URL, or ``unix:`` and a socket's path."""
        return self._words if self._port is None else self._describe(self._port)

    def _describe(self, port: IListeningPort) -> str:
        address = port.getHost()
        return _url(address, self._words) or _socket(address) or self._words

    def _keep(self, port: IListeningPort) -> None:
        self._port = port
        self._site.listeners.append(self._describe(port))
        url = _url(port.getHost(), self._words)
        for every, here in _ON_THIS_MACHINE.items():
            url = url.replace(every, here)
        self._site.url = self._site.url or url

    def _fail(self, failure: Failure) -> NoReturn:
        problem = getattr(failure.value, "socketError", failure.value)
        reason = getattr(problem, "strerror", None) or str(problem)
        fixes = _MENDS_OF_PATHS if "listen unix:" in self._words.lower() else _MENDS
        fix = fixes.get(getattr(problem, "errno", 0), _MEND)
        self._give_up(f"{self._words}: cannot listen there: {reason}: {fix}")


def _socket(address: IAddress) -> str:
    """Write a socket's file as ``--url`` takes it; empty if that is no such socket."""
    name = getattr(address, "name", None)
    return f"unix:{os.fsdecode(name)}" if name else ""


def _url(address: IAddress, words: str) -> str:
    """Write a place as a client would; empty if that is a socket's file."""
    host, port = getattr(address, "host", None), getattr(address, "port", None)
    if host is None or port is None:
        return ""
    scheme = "https" if "listen ssl:" in words.lower() else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


INTERVAL = 2.0
"""Seconds from one look at the root to the next."""


class RootWatch(Service):
    """Looks again and again whether there is something to serve, and logs when that changes.

    Args:
        look: Promises nothing, or fails with ``StoreUnavailable``.
        clock: Measures time.
    """

    _log = Logger()

    def __init__(self, look: Callable[[], Deferred[None]], clock: IReactorTime) -> None:
        self.problem = ""
        self._look = look
        self._looks = LoopingCall(self._look_again)
        self._looks.clock = clock

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._looks.start(INTERVAL)

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        self._looks.stop()

    def _look_again(self) -> Deferred[None]:
        return self._look().addCallbacks(self._find, self._miss)

    def _find(self, _nothing: None) -> None:
        if self.problem:
            self.problem = ""
            self._log.info("the registry is there now, and served", event="found")

    def _miss(self, failure: Failure) -> None:
        failure.trap(StoreUnavailable)
        if not self.problem:
            self._log.warn(
                "waiting for the registry: {reason}", event="waiting", reason=str(failure.value)
            )
        self.problem = str(failure.value)
