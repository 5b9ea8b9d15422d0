"""Tests for ``minreg.tap`` and ``minreg.daemon.assembly``: from options to the service."""

import io
import os
import resource
import sys

from twisted.application.service import IServiceMaker
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import IPlugin
from twisted.python.usage import Options as UsageOptions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from minreg.daemon.assembly import make_endpoints, most_connections, raise_file_limit
from minreg.daemon.service import Listener, MemoryTrimmer, RootWatch
from minreg.daemon.signals import Signals
from minreg.daemon.sockets import PassedEndpoint, PassedSocket
from minreg.daemon.systemd import Supervision
from minreg.settings import ListenEndpoint, SettingInvalid
from minreg.tap import Options, find_endpoints, find_status, makeService
from twisted.plugins.minreg_plugin import minreg


class OptionsTestCase(SynchronousTestCase):
    """A root, and a captured standard error."""

    def setUp(self) -> None:
        """Create the root."""
        self.root = os.path.abspath(self.mktemp())
        os.makedirs(self.root)
        self.complaints = io.StringIO()
        self.patch(sys, "__stderr__", self.complaints)

    def parse(self, *arguments: str) -> Options:
        """Parse a command line that names the root."""
        options = Options()
        options.parseOptions(["--root", self.root, *arguments])
        return options

    def refuse(self, *arguments: str) -> str:
        """Parse an invalid command line, and return the error."""
        stop = self.assertRaises(SystemExit, self.parse, *arguments)
        self.assertEqual(stop.code, 2)
        complaint = self.complaints.getvalue()
        self.assertEqual(complaint.count("\n"), 1)
        return complaint


class OptionsTests(OptionsTestCase):
    """Tests for ``Options``."""

    def test_defaults(self) -> None:
        """Only the root is required."""
        settings = self.parse().settings
        self.assertEqual(settings.root, self.root)
        self.assertEqual(
            [endpoint.description for endpoint in settings.listen],
            ["tcp:9080:interface=127.0.0.1:backlog=1024"],
        )
        self.assertEqual(settings.log_format, "text")
        self.assertEqual(settings.aliases, {"bootstrap-registry.airgap": "docker.io"})
        self.assertEqual(settings.allow_links_to, ())

    def test_all(self) -> None:
        """Every option has its effect, and repeatable ones add up."""
        settings = self.parse(
            "--listen=unix:/run/x.sock",
            "--listen=tcp:80",
            "--log-format=json",
            "--registry-alias=registry.local=quay.io",
            "--allow-links-to=/",
        ).settings
        self.assertEqual(
            settings.listen,
            (
                ListenEndpoint("--listen unix:/run/x.sock", "unix:/run/x.sock"),
                ListenEndpoint("--listen tcp:80", "tcp:80"),
            ),
        )
        self.assertEqual(settings.log_format, "json")
        self.assertEqual(
            settings.aliases,
            {"bootstrap-registry.airgap": "docker.io", "registry.local": "quay.io"},
        )
        self.assertEqual(settings.allow_links_to, ("/",))

    def test_short(self) -> None:
        """Root and port have short options."""
        options = Options()
        options.parseOptions(["-r", self.root, "-p", "5000"])
        self.assertEqual(
            options.settings.listen[0].description, "tcp:5000:interface=127.0.0.1:backlog=1024"
        )

    def test_wrong(self) -> None:
        """Invalid input is one line that names the option."""
        for arguments, option in (
            (["--root=/does/not/exist"], "--root /does/not/exist"),
            (["--port=x"], "--port 'x'"),
            (["--interface=x"], "--interface 'x'"),
            (["--log-format=x"], "--log-format 'x'"),
            (["--registry-alias=x"], "--registry-alias 'x'"),
            (["--allow-links-to=/does/not/exist"], "--allow-links-to /does/not/exist"),
            (["--port=1", "--listen=tcp:2"], "--listen cannot be used together with --port"),
            (["--nonsense"], "option --nonsense"),
        ):
            self.complaints.seek(0)
            self.complaints.truncate()
            self.assertIn(option, self.refuse(*arguments))

    def test_version(self) -> None:
        """The version is minreg's, not Twisted's."""
        stop = self.assertRaises(SystemExit, self.parse, "--version")
        self.assertEqual(stop.code, 0)

    def test_twist(self) -> None:
        """``twist`` logs in minreg's format."""
        options = Options()
        parent = options.parent = UsageOptions()
        parent["fileLogObserverFactory"] = None
        options.parseOptions(["--root", self.root, "--log-format=json"])
        stream = io.StringIO()
        parent["fileLogObserverFactory"](stream)({"log_time": 0.0, "log_format": "x"})
        self.assertTrue(stream.getvalue().startswith("{"))


class MakeEndpointsTests(OptionsTestCase):
    """Tests for ``make_endpoints``."""

    def test_no_endpoint(self) -> None:
        """A description that is not an endpoint is refused."""
        for description in ("nonsense:1", "tcp:x", "tcp"):
            settings = self.parse(f"--listen={description}").settings
            error = self.assertRaises(
                SettingInvalid, make_endpoints, settings.listen, MemoryReactorClock()
            )
            self.assertIn(f"--listen {description} is not an endpoint", str(error))

    def test_passed(self) -> None:
        """A socket that systemd has passed is adopted."""
        endpoint = ListenEndpoint("--listen systemd", "systemd", descriptor=3)
        [(words, passed)] = make_endpoints([endpoint], MemoryReactorClock())
        self.assertEqual(words, "--listen systemd")
        self.assertIsInstance(passed, PassedEndpoint)


class MakeServiceTests(OptionsTestCase):
    """Tests for ``makeService``, and for the plugin that names it."""

    def test_plugin(self) -> None:
        """``twistd`` finds the service by its name."""
        verifyObject(IServiceMaker, minreg)
        verifyObject(IPlugin, minreg)
        self.assertEqual((minreg.tapname, minreg.module), ("minreg", "minreg.tap"))
        self.assertIs(minreg.options, Options)
        self.assertIs(minreg.makeService, makeService)

    def test_no_endpoint(self) -> None:
        """If it cannot listen, the program ends with one line."""
        stop = self.assertRaises(SystemExit, makeService, self.parse("--listen=nonsense:1"))
        self.assertEqual(stop.code, 2)
        self.assertEqual(self.complaints.getvalue().count("\n"), 1)

    def test_not_listening(self) -> None:
        """A service that was made is not listening yet."""
        service = makeService(self.parse())
        self.assertFalse(service.running)

    def test_wait_for_root(self) -> None:
        """A root that does not exist is refused, unless ``--wait-for-root`` is given."""
        options = Options()
        absent = os.path.abspath(self.mktemp())
        options.parseOptions(["--root", absent, "--wait-for-root"])
        self.assertEqual((options.settings.root, options.settings.waits_for_root), (absent, True))
        self.assertEqual(
            [type(service) for service in makeService(options)],
            [Listener, MemoryTrimmer, RootWatch, Signals],
        )

    def test_supervised(self) -> None:
        """The state is reported to systemd, after all ports are open."""
        self.patch(os, "environ", {"NOTIFY_SOCKET": "@minreg-test"})
        self.assertEqual(
            [type(service) for service in makeService(self.parse())],
            [Listener, MemoryTrimmer, Supervision, Signals],
        )

    def test_log_file(self) -> None:
        """The log is written to the file that twistd's options name."""
        path = os.path.abspath(self.mktemp())
        for log_file, nodaemon, expected in ((path, True, path), (None, False, "twistd.log")):
            options = Options()
            options.parent = UsageOptions()
            options.parent.update(logfile=log_file, nodaemon=nodaemon)
            options.parseOptions(["--root", self.root])
            makeService(options).observer({"log_time": 0.0, "log_format": "hello"})
            with open(expected, encoding="utf-8") as log:
                self.assertIn("hello", log.read())

    def test_status(self) -> None:
        """The status is on the registry's site, or at its own endpoint."""
        self.assertEqual(make_endpoints([], MemoryReactorClock()), [])
        settings = self.parse().settings
        self.assertEqual((settings.status_listen, settings.has_page), (None, True))
        settings = self.parse("--status-listen=tcp:9081", "--no-page").settings
        self.assertEqual(
            (settings.status_listen, settings.has_page),
            (ListenEndpoint("--status-listen tcp:9081", "tcp:9081"), False),
        )
        self.assertFalse(makeService(self.parse("--status-listen=tcp:9081")).running)
        stop = self.assertRaises(SystemExit, makeService, self.parse("--status-listen=nonsense:1"))
        self.assertEqual(stop.code, 2)
        self.assertIn("--status-listen nonsense:1 is not an endpoint", self.complaints.getvalue())


class FindEndpointsTests(OptionsTestCase):
    """Tests for ``find_endpoints`` and ``find_status``."""

    sockets = (PassedSocket(3, "minreg.socket"), PassedSocket(4, "status.socket"))

    def test_ours(self) -> None:
        """A description that does not mean systemd's sockets is left to Twisted."""
        self.assertEqual(
            find_endpoints("--listen", "tcp:1", self.sockets),
            [ListenEndpoint("--listen tcp:1", "tcp:1")],
        )

    def test_all(self) -> None:
        """Each socket is an endpoint; its words are those of the option."""
        self.assertEqual(
            find_endpoints("--listen", "systemd", self.sockets),
            [ListenEndpoint("--listen systemd", "systemd", descriptor=n) for n in (3, 4)],
        )

    def test_none(self) -> None:
        """If there is no such socket, the error names the unit that passes it."""
        self.assertIn(
            "--listen systemd: systemd has passed no such socket: start minreg.socket",
            self.refuse("--listen=systemd"),
        )

    def test_wrong(self) -> None:
        """Any other description is refused, with an example."""
        for text in ("systemd:x", "systemd:index=x", "systemd:port=1"):
            error = self.assertRaises(
                SettingInvalid, find_endpoints, "--listen", text, self.sockets
            )
            self.assertIn(f"--listen {text} is not an endpoint", str(error))

    def test_status(self) -> None:
        """A socket for the status is not used for the registry."""
        status, left = find_status("systemd:name=status.socket", self.sockets)
        assert status is not None
        self.assertEqual((status.descriptor, list(left)), (4, [self.sockets[0]]))
        self.assertEqual(find_status(None, self.sockets), (None, self.sockets))
        status, left = find_status("tcp:1", self.sockets)
        self.assertEqual(list(left), list(self.sockets))

    def test_status_several(self) -> None:
        """The status has one endpoint."""
        error = self.assertRaises(SettingInvalid, find_status, "systemd", self.sockets)
        self.assertIn("--status-listen systemd means several sockets", str(error))


class LimitsTests(SynchronousTestCase):
    """Tests for the limit of open files."""

    def test_connections(self) -> None:
        """Each connection may have three files open; 64 are reserved."""
        self.assertEqual(most_connections(1024), 320)
        self.assertEqual(most_connections(65), 1)
        self.assertEqual(most_connections(69), 1)
        self.assertEqual(most_connections(70), 2)

    def test_never_none(self) -> None:
        """With few files, one connection at a time is served."""
        self.assertEqual(most_connections(0), 1)

    def test_raise(self) -> None:
        """The process raises its soft limit to the hard limit."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        hard = limits[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        for _ in range(2):
            self.assertEqual(raise_file_limit(), hard)
            self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (hard, hard))
