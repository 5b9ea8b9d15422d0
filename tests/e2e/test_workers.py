"""Tests for several processes that serve the same port: ``--workers``."""

import os
import signal
import subprocess
from http.client import HTTPConnection

from tests.e2e.content import SAMPLE, write_sample
from tests.e2e.images import read_file
from tests.e2e.programs import free_port, installed
from tests.e2e.support import EndToEndTestCase

TAG = f"/v2/{SAMPLE}/manifests/1.0"


class WorkersTests(EndToEndTestCase):
    """Tests for a daemon of three processes."""

    def setUp(self) -> None:
        """Start it, and wait until all processes listen."""
        root = os.path.join(self.make_directory(), "registry")
        write_sample(root)
        self.daemon = self.start_daemon(root, "--workers", "3")
        self.wait_until(lambda: listeners(self.daemon.port) == 3)

    def test_all_serve(self) -> None:
        """The kernel distributes clients to the processes; each request has a complete line."""
        clients = [HTTPConnection("127.0.0.1", self.daemon.port) for _ in range(60)]
        for _ in range(3):
            for client in clients:
                client.request("GET", TAG)
                self.assertEqual(client.getresponse().read()[:1], b"{")
        busy = [pid for pid in self.processes() if connections(pid) > 0]
        for client in clients:
            client.close()
        self.assertEqual(len(busy), 3)
        # A process writes what it has answered at the end of its turn.
        self.wait_until(lambda: len(self.daemon.requests()) >= 180)
        self.assertEqual(len(self.daemon.requests()), 180)

    def test_replaced(self) -> None:
        """A worker that dies is replaced, and the log says so."""
        victim = self.workers()[0]
        os.kill(victim, signal.SIGKILL)
        self.wait_until(lambda: len(self.workers()) == 2 and victim not in self.workers())
        self.wait_until(lambda: listeners(self.daemon.port) == 3)
        warnings = [event for event in self.daemon.events() if event["level"] == "warn"]
        self.assertEqual(len(warnings), 1)
        self.assertIn("signal 9", warnings[0]["message"])

    def test_stops(self) -> None:
        """When the daemon is stopped, so are all workers."""
        workers = self.workers()
        self.assertIn(self.daemon.stop(), {0, -signal.SIGTERM})
        self.assertFalse(any(map(is_alive, workers)))

    def test_first_process_dies(self) -> None:
        """Workers end when the process that started them is killed."""
        workers = self.workers()
        os.kill(self.daemon.pid, signal.SIGKILL)
        self.daemon.stop()
        self.wait_until(lambda: not any(map(is_alive, workers)))

    def workers(self) -> list[int]:
        """Return the processes that the daemon has started."""
        return children(self.daemon.pid)

    def processes(self) -> list[int]:
        """Return all processes of the daemon."""
        return [self.daemon.pid, *self.workers()]


class LogFileTests(EndToEndTestCase):
    """Tests for a daemon of two processes that logs to a file."""

    def test_moved_away(self) -> None:
        """After SIGHUP, all processes log to the new file."""
        directory, port = self.make_directory(), free_port()
        root, log = os.path.join(directory, "registry"), os.path.join(directory, "log")
        write_sample(root)
        process = subprocess.Popen(
            [
                *(installed("twistd"), "-n", "--pidfile=", "--logfile", log, "minreg"),
                *("--root", root, "--port", str(port), "--workers", "2"),
            ],
            stdin=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait, 40)
        self.addCleanup(process.terminate)
        self.wait_until(lambda: listeners(port) == 2)
        before = children(process.pid)
        os.rename(log, f"{log}.1")
        process.send_signal(signal.SIGHUP)
        self.wait_until(lambda: children(process.pid) not in ([], before))
        self.wait_until(lambda: listeners(port) == 2)
        for _ in range(40):
            client = HTTPConnection("127.0.0.1", port)
            client.request("GET", TAG)
            self.assertEqual(client.getresponse().status, 200)
            client.close()
        self.wait_until(lambda: read_file(log).count(TAG.encode()) >= 40)


def listeners(port: int) -> int:
    """Return how many sockets listen on a port of 127.0.0.1 (proc_pid_net_tcp)."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        lines = [line.split() for line in file]
    return sum(line[1] == f"0100007F:{port:04X}" and line[3] == "0A" for line in lines)


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def connections(pid: int) -> int:
    """Return how many sockets a process has, except the one that listens."""
    directory = f"/proc/{pid}/fd"
    links = [os.readlink(os.path.join(directory, name)) for name in os.listdir(directory)]
    return sum(link.startswith("socket:") for link in links) - 1


def is_alive(pid: int) -> bool:
    """Return whether a process exists, and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
