"""Tests for the daemon as systemd starts it: with its sockets, and with notifications."""

import os
import signal
import socket
import subprocess
import time
from http.client import HTTPConnection

from tests.e2e.content import write_sample
from tests.e2e.programs import free_port, installed
from tests.e2e.support import EndToEndTestCase

_SAMPLE = "/v2/minreg/sample/tags/list"


class ActivationTestCase(EndToEndTestCase):
    """A test that replaces systemd."""

    def setUp(self) -> None:
        """Open the socket for notifications, at a path."""
        self.directory = self.make_directory()
        self.root = os.path.join(self.directory, "registry")
        self.log_path = os.path.join(self.directory, "log")
        self.listen_for_reports(os.path.join(self.directory, "notify"))
        self.port = free_port()
        self.listen = "systemd"
        self.options: list[str] = []

    def listen_for_reports(self, address: str) -> None:
        """Open the socket for notifications, at an address as in ``NOTIFY_SOCKET``."""
        self.reports = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.reports.close)
        self.reports.settimeout(20)
        self.reports.bind(address.replace("@", "\0", 1))
        self.environment = {
            "PATH": os.environ["PATH"],
            "NOTIFY_SOCKET": address,
            "WATCHDOG_USEC": "1000000",
        }

    def start(self, *command: str) -> "subprocess.Popen[str]":
        """Run a command that starts the daemon; it is stopped when the test ends."""
        daemon = [
            *(installed("twistd"), "--nodaemon", "--pidfile=", f"--logfile={self.log_path}"),
            *("minreg", "--root", self.root, "--wait-for-root", "--listen", self.listen),
            *self.options,
        ]
        process = subprocess.Popen(
            [*command, *daemon],
            env=self.environment,
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def activate(self, *options: str) -> "subprocess.Popen[str]":
        """Run systemd-socket-activate, which starts the daemon at the first connection."""
        self.need_programs("systemd-socket-activate")
        options = options or (f"--listen=127.0.0.1:{self.port}",)
        process = self.start(
            *("systemd-socket-activate", *options),
            *(f"--setenv={name}" for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC")),
        )
        assert process.stdout is not None
        for option in options:
            if option.startswith("--listen"):
                self.assertIn("Listening", process.stdout.readline())
        return process

    def connect(self, host: str = "127.0.0.1", port: int = 0) -> HTTPConnection:
        """Connect to the registry."""
        connection = HTTPConnection(host, port or self.port, timeout=20)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection: HTTPConnection, path: str = "/v2/") -> int:
        """Send a request, and return the status."""
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status

    def report(self, without: bytes = b"WATCHDOG=1") -> dict[str, str]:
        """Read the next notification, except those of the watchdog."""
        while without in (message := self.reports.recv(4096)):
            pass
        return dict(line.split("=", 1) for line in message.decode().splitlines())

    def log(self) -> str:
        """Read the log, if there is one."""
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()


class ReportTests(ActivationTestCase):
    """Tests for notifications, on a real datagram socket."""

    def test_life(self) -> None:
        """The daemon reports its state from the start to the end."""
        process = self.activate()
        self.connect().connect()
        begun = self.report()
        self.assertEqual(begun["READY"], "1")
        sign = self.report(without=b"READY")
        self.assertEqual(sign["WATCHDOG"], "1")
        self.assertIn("waiting for the root", sign["STATUS"])
        before = time.monotonic_ns() // 1000
        process.send_signal(signal.SIGHUP)
        reloading = self.report()
        self.assertEqual(reloading["RELOADING"], "1")
        self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), before)
        self.assertEqual(self.report()["READY"], "1")
        process.terminate()
        self.assertEqual(self.report()["STOPPING"], "1")
        self.assertEqual(process.wait(20), -signal.SIGTERM)

    def test_abstract(self) -> None:
        """The socket may have an abstract name."""
        self.listen_for_reports(f"@minreg-{os.getpid()}")
        self.activate()
        self.connect().connect()
        self.assertEqual(self.report()["READY"], "1")


class SignalTests(ActivationTestCase):
    """Tests for signals."""

    def setUp(self) -> None:
        """Start the daemon, with a large blob."""
        super().setUp()
        write_sample(self.root)
        self.digest = f"sha256:{'0123456789abcdef' * 4}"
        with open(os.path.join(self.root, "blobs", self.digest), "wb") as blob:
            blob.truncate(100_000_000)
        self.process = self.activate()
        self.connection = self.connect()
        self.connection.connect()
        self.report()

    def test_log_is_reopened(self) -> None:
        """After SIGHUP, the log continues in a new file of the old name."""
        os.rename(self.log_path, f"{self.log_path}.1")
        self.process.send_signal(signal.SIGHUP)
        self.report()
        self.report()
        self.wait_until(lambda: "the log file was reopened" in self.log())

    def test_stop_twice(self) -> None:
        """A second SIGTERM during a transfer ends the daemon without a traceback."""
        self.stop_twice(signal.SIGTERM)

    def test_interrupted_twice(self) -> None:
        """A second SIGINT does the same."""
        self.stop_twice(signal.SIGINT)

    def stop_twice(self, number: signal.Signals) -> None:
        """Send a signal twice."""
        self.connection.request("GET", f"/v2/minreg/sample/blobs/{self.digest}")
        self.connection.getresponse().read(1)
        self.process.send_signal(number)
        self.assertEqual(self.report()["STOPPING"], "1")
        self.process.send_signal(number)
        self.assertEqual(self.process.wait(20), -number)
        self.assertIn("1 transfers did not end in time", self.log())
        self.assertNotIn("Traceback", self.log())

    def test_first_request_on_its_way(self) -> None:
        """A connection whose request has not arrived yet is answered before the end."""
        self.process.terminate()
        self.assertEqual(self.report()["STOPPING"], "1")
        self.connection.request("GET", _SAMPLE)
        self.assertEqual(self.connection.getresponse().status, 200)
        self.assertEqual(self.process.wait(20), -signal.SIGTERM)
