"""Tests for ``minreg.daemon.service``."""

import ctypes
import errno
import io
import os
import sys

from twisted.application.service import Application
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import FileLogObserver, ILogObserver, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.service import (
    GiveUp,
    Listener,
    MemoryTrimmer,
    RegistryService,
    RootWatch,
    StartFailed,
    exit_with_error,
    exit_with_logged_error,
    find_malloc_trim,
)
from minreg.log import make_observer
from minreg.oci.names import Digest
from minreg.store.interfaces import StoreNotReady
from minreg.store.tree import RegistryTree
from tests.support import WebTestCase, write_request


class Deaf(MemoryReactorClock):
    """A reactor that cannot listen, because of an error with this ``errno``."""

    def __init__(self, number: int = errno.EADDRINUSE) -> None:
        super().__init__()
        self._number = number

    def listenTCP(self, port: int, *_more: object, **_options: object) -> None:
        """Raise the error."""
        raise CannotListenError(
            "127.0.0.1", port, OSError(self._number, os.strerror(self._number))
        )


class RegistryServiceTests(WebTestCase):
    """Tests for ``RegistryService``."""

    def setUp(self) -> None:
        """Create a reactor, and capture standard error."""
        super().setUp()
        self.reactor = MemoryReactorClock()
        self.complaints = io.StringIO()
        self.patch(sys, "__stderr__", self.complaints)
        sys.tracebacklimit = 1000
        self.addCleanup(delattr, sys, "tracebacklimit")

    def make_service(
        self, *endpoints: IStreamServerEndpoint, give_up: GiveUp = exit_with_error
    ) -> RegistryService:
        """Return a service that is not started."""
        observer: FileLogObserver = make_observer("text", io.StringIO())
        words = [("--port 9080", endpoint) for endpoint in endpoints]
        return RegistryService(self.site, words, "/srv/registry", observer, give_up=give_up)

    def test_start(self) -> None:
        """The line of the start has the registry and its listeners."""
        service = self.make_service(
            TCP4ServerEndpoint(self.reactor, 9080, interface="127.0.0.1"),
            TCP4ServerEndpoint(self.reactor, 9081, interface="::1"),
            UNIXServerEndpoint(self.reactor, "/run/minreg.sock"),
        )
        service.privilegedStartService()
        service.startService()
        [started] = self.logged("start")
        self.assertEqual(started["registry"], "/srv/registry")
        self.assertEqual(len(self.reactor.tcpServers), 2)
        self.assertEqual(len(self.reactor.unixServers), 1)
        self.assertIn("unix:/run/minreg.sock", started["listeners"])

    def test_url(self) -> None:
        """The site knows its URL, which the pages use."""
        for endpoints, url in (
            ([UNIXServerEndpoint(self.reactor, "/run/minreg.sock")], ""),
            ([TCP4ServerEndpoint(self.reactor, 9081)], "http://127.0.0.1:9081"),
            ([TCP6ServerEndpoint(self.reactor, 9082)], "http://[::1]:9082"),
            (
                [TCP4ServerEndpoint(self.reactor, port) for port in (9083, 9084)],
                "http://127.0.0.1:9083",
            ),
        ):
            self.site = self.make_site(RegistryTree(self.root))
            self.make_service(*endpoints).startService()
            self.assertEqual(self.site.url, url)

    def test_listeners(self) -> None:
        """The site knows its listeners, for the status."""
        service = self.make_service(
            TCP4ServerEndpoint(self.reactor, 9080, interface="127.0.0.1"),
            UNIXServerEndpoint(self.reactor, "/run/minreg.sock"),
        )
        service.startService()
        places = ["http://0.0.0.0:9080", "unix:/run/minreg.sock"]
        self.assertEqual(self.site.listeners, places)
        service.stopService()
        self.assertEqual(self.site.listeners, [])

    def test_starts_without_privileges(self) -> None:
        """It listens also if ``privilegedStartService`` is not called."""
        self.make_service(TCP4ServerEndpoint(self.reactor, 9080)).startService()
        self.assertEqual(len(self.reactor.tcpServers), 1)

    def test_taken_port(self) -> None:
        """If a port is in use, the program ends with one line that says so."""
        service = self.make_service(TCP4ServerEndpoint(Deaf(), 9080))
        stop = self.assertRaises(SystemExit, service.privilegedStartService)
        self.assertEqual(stop.code, 1)
        complaint = self.complaints.getvalue()
        self.assertIn("--port 9080: cannot listen there: Address already in use", complaint)
        self.assertEqual(complaint.count("\n"), 1)
        self.assertEqual(self.logged("listen_failed"), [])

    def test_taken_port_in_background(self) -> None:
        """Without a terminal, the error is logged, and raised for the waiting twistd."""
        service = self.make_service(
            TCP4ServerEndpoint(Deaf(), 9080), give_up=exit_with_logged_error
        )
        failure = self.assertRaises(StartFailed, service.privilegedStartService)
        self.assertIn("--port 9080: cannot listen there", str(failure))
        [deaf] = self.logged("listen_failed")
        self.assertEqual(deaf["reason"], str(failure))
        self.assertEqual(sys.tracebacklimit, 0)

    def test_fixes(self) -> None:
        """The fix depends on the error."""
        for number, fix in (
            (errno.EADDRINUSE, "stop what else listens there"),
            (errno.EADDRNOTAVAIL, "no interface of this machine has that address"),
            (errno.EACCES, "a --port from 1024 on"),
            (errno.EMFILE, "choose another --port"),
        ):
            service = self.make_service(
                TCP4ServerEndpoint(Deaf(number), 9080), give_up=exit_with_logged_error
            )
            failure = self.assertRaises(StartFailed, service.privilegedStartService)
            self.assertIn(fix, str(failure))

    def test_fixes_of_paths(self) -> None:
        """The fixes for a Unix socket are others."""

        class Closed(MemoryReactorClock):
            """A reactor that cannot create a socket."""

            def listenUNIX(self, *_more: object, **_options: object) -> None:
                """Raise the error."""
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        endpoint = UNIXServerEndpoint(Closed(), "/run/x.sock")
        listener = Listener(
            "--status-listen unix:/run/x.sock", endpoint, self.site, exit_with_logged_error
        )
        failure = self.assertRaises(StartFailed, listener.privilegedStartService)
        self.assertIn("such as /run/minreg, which the systemd service creates", str(failure))

    def test_log_of_application(self) -> None:
        """The log observer of the application is the service's."""
        application = Application("minreg")
        service = self.make_service()
        service.setServiceParent(application)
        self.assertIs(application.getComponent(ILogObserver), service.observer)

    def test_told_twice(self) -> None:
        """A second stop aborts the transfers in progress."""
        layer = bytes(1 << 20)
        self.tree.add_image("rancher/pause", "3.6", layer)
        service = self.make_service()
        service.startService()
        client = self.connect(reads=False)
        client.send(write_request(f"/v2/rancher/pause/blobs/{Digest.of(layer)}"))
        stopped = service.stopService()
        self.assertNoResult(stopped)
        service.force_stop()
        client.pump()
        self.successResultOf(stopped)
        self.assertEqual(self.logged("request")[0]["failure"], "the registry stopped")

    def test_stops_idle(self) -> None:
        """Without transfers, it stops at once: idle connections are closed."""
        service = self.make_service(TCP4ServerEndpoint(self.reactor, 9080))
        service.startService()
        idle = self.connect()
        idle.request("/v2/")
        stopped = service.stopService()
        self.assertNoResult(stopped)
        idle.pump()
        self.assertTrue(idle.is_closed)
        self.successResultOf(stopped)

    def test_status_ends_last(self) -> None:
        """The listener of the status stops after the transfers have ended."""
        status = Listener("--status-listen x", UNIXServerEndpoint(self.reactor, "/x"), self.site)
        observer = make_observer("text", io.StringIO())
        endpoint = TCP4ServerEndpoint(self.reactor, 9080)
        service = RegistryService(
            self.site, [("--port 9080", endpoint)], "/", observer, beside=[status]
        )
        service.startService()
        [logged] = self.logged("status")
        self.assertIn("unix:/x", logged["listeners"])
        idle = self.connect()
        idle.request("/v2/")
        stopped = service.stopService()
        self.assertTrue(status.running)
        idle.pump()
        self.successResultOf(stopped)
        self.assertFalse(status.running)


class MemoryTrimmerTests(SynchronousTestCase):
    """Tests for ``MemoryTrimmer`` and ``find_malloc_trim``."""

    def test_calls(self) -> None:
        """Memory is returned once a minute, until the service stops."""
        clock, calls = Clock(), list[int]()
        trimmer = MemoryTrimmer(calls.append, clock)
        trimmer.startService()
        self.assertEqual(calls, [])
        clock.pump([60.0, 60.0])
        self.assertEqual(calls, [0, 0])
        trimmer.stopService()
        clock.pump([60.0])
        self.assertEqual((calls, clock.getDelayedCalls()), ([0, 0], []))

    def test_library(self) -> None:
        """The function of the C library can be called, also if the library has none."""
        self.assertIn(find_malloc_trim()(0), (0, 1, None))
        self.patch(ctypes, "CDLL", lambda _name: object())
        self.assertIsNone(find_malloc_trim()(0))
        self.addCleanup(sys.modules.__setitem__, "ctypes", ctypes)
        sys.modules["ctypes"] = None  # type: ignore[assignment]
        self.assertIsNone(find_malloc_trim()(0))


class RootWatchTests(SynchronousTestCase):
    """Tests for ``RootWatch``."""

    def setUp(self) -> None:
        """Create a watch of a root that does not exist."""
        self.clock = Clock()
        self.problem = "root /srv/registry does not exist yet"
        self.looks = 0
        self.events = self.enterContext(capturedLogs())
        self.watch = RootWatch(self.look, self.clock)

    def look(self) -> Deferred[None]:
        """Check the root, as the disk would."""
        self.looks += 1
        return fail(StoreNotReady(self.problem)) if self.problem else succeed(None)

    def lines(self) -> list[str | None]:
        """Return the events and reasons that were logged."""
        return [formatEvent(event) for event in self.events]

    def test_comes_later(self) -> None:
        """The log says once that the root is unavailable, and once that it is available."""
        self.watch.startService()
        self.clock.pump([2.0, 2.0])
        waiting = "waiting for the root: root /srv/registry does not exist yet"
        self.assertEqual(self.lines(), [waiting])
        self.assertEqual(self.watch.problem, self.problem)
        self.problem = ""
        self.clock.pump([2.0, 2.0])
        self.assertEqual(self.lines(), [waiting, "the root is available now, and served"])
        self.assertEqual(self.watch.problem, "")
        self.assertEqual(
            [event["event"] for event in self.events], ["root_unavailable", "root_available"]
        )

    def test_is_there(self) -> None:
        """A root that exists from the start is not logged."""
        self.problem = ""
        self.watch.startService()
        self.clock.pump([2.0])
        self.assertEqual((self.lines(), self.looks), ([], 2))

    def test_stop(self) -> None:
        """After the stop, the root is not checked."""
        self.watch.startService()
        self.watch.stopService()
        self.clock.pump([2.0])
        self.assertEqual(self.looks, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
