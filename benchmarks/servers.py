"""minreg and its peers, started as an operator starts them, each with its access log on."""

import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
from collections.abc import Sequence

import attrs

from benchmarks.content import Content

MINREG = "minreg"
MINREG_2 = "minreg --workers 2"
NGINX = "nginx"
DISTRIBUTION = "docker-registry"

_NGINX = """
daemon off; worker_processes 2; pid {directory}/nginx.pid; error_log {directory}/nginx.error;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log {directory}/nginx.log; sendfile on; tcp_nopush on; keepalive_requests 100000000;
  client_body_temp_path {directory}/nginx-body; proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-f; uwsgi_temp_path {directory}/nginx-u;
  scgi_temp_path {directory}/nginx-s;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
"""
_DISTRIBUTION = """
version: 0.1
log: {{accesslog: {{disabled: false}}, level: error}}
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {storage}}}
http: {{addr: '127.0.0.1:{port}'}}
"""


class Server:
    """A server that runs, and what it costs.

    Args:
        name: What it is called in the table.
        command: How to start it.
        port: The port of 127.0.0.1 that it listens on.
        directory: Where its output goes.
    """

    def __init__(self, name: str, command: Sequence[str], port: int, directory: str) -> None:
        self.name = name
        self.port = port
        begun = time.monotonic()
        with open(os.path.join(directory, f"{name}.out"), "ab") as output:
            self._process = subprocess.Popen(
                command, cwd=directory, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        self._wait_until_it_answers()
        self.start_seconds = time.monotonic() - begun

    def cpu_seconds(self) -> float:
        """Seconds for which it has kept processors busy, with all of its processes."""
        return sum(_cpu_clock(pid) for pid in self.processes())

    def resident(self) -> int:
        """Bytes of memory that are resident, pages that its processes share counted once."""
        return sum(_resident(pid, "Anonymous") for pid in self.processes()) + max(
            _resident(pid, "Rss") - _resident(pid, "Anonymous") for pid in self.processes()
        )

    def open_files(self) -> int:
        """Count the files and connections that it has open."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.processes())

    def processes(self) -> list[int]:
        """Name its processes."""
        found, parents = [], [self._process.pid]
        while parents:
            pid = parents.pop()
            found.append(pid)
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as children:
                    parents += map(int, children.read().split())
        return found

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_it_answers(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not _answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not answer")
            time.sleep(0.002)


@attrs.frozen
class Starter:
    """Starts servers that serve the same content, each on a port of its own."""

    content: Content

    def start(self, name: str) -> Server:
        """Start one of the servers that the constants of this module name."""
        command = {
            MINREG: self._minreg,
            MINREG_2: lambda port: [*self._minreg(port), "--workers", "2"],
            NGINX: self._nginx,
            DISTRIBUTION: self._distribution,
        }[name]
        port = free_port()
        return Server(name, command(port), port, self.content.directory)

    def minreg(self, name: str, root: str) -> Server:
        """Start minreg over another tree."""
        port = free_port()
        return Server(name, self._minreg(port, root), port, self.content.directory)

    def _minreg(self, port: int, root: str | None = None) -> list[str]:
        program = os.path.join(sysconfig.get_path("scripts"), "twistd")
        options = ["--root", root or self.content.tree, "--port", str(port)]
        return [program, "-n", "--pidfile=", "minreg", *options]

    def _nginx(self, port: int) -> list[str]:
        directory = self.content.directory
        settings = _NGINX.format(directory=directory, root=directory, port=port)
        return ["nginx", "-p", directory, "-c", _write(directory, "nginx.conf", settings)]

    def _distribution(self, port: int) -> list[str]:
        settings = _DISTRIBUTION.format(storage=self.content.storage, port=port)
        path = _write(self.content.directory, "registry.yml", settings)
        return ["docker-registry", "serve", path]


def missing_programs() -> list[str]:
    """Name the programs that a run needs and that are not installed."""
    needed = ("nginx", "docker-registry", "wrk")
    return [program for program in needed if shutil.which(program) is None]


def free_port() -> int:
    """Find a port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write(directory: str, name: str, text: str) -> str:
    path = os.path.join(directory, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(b"GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return client.recv(9) == b"HTTP/1.1 "
    except ConnectionError:
        return False


def _cpu_clock(pid: int) -> float:
    """Read another process's clock (clock_getcpuclockid in the C library)."""
    return time.clock_gettime((~pid << 3) | 2)


def _resident(pid: int, kind: str) -> int:
    """Read bytes of one kind from the sum of a process's mappings (proc_pid_smaps)."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
    return 0
