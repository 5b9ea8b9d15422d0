"""What the daemon loads: no library that only commands need, and none for TLS without TLS."""

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Set as AbstractSet
from http.client import HTTPConnection, HTTPSConnection

from minreg.fill.sample import REPOSITORY, write_sample
from minreg.fill.tree.writer import TreeWriter
from tests.certificates import make_certificate
from tests.e2e.programs import free_port
from tests.e2e.support import EndToEndTestCase

_LIBRARIES = {
    "click",
    "prometheus_client",
    "rich",
    "yaml",
    "urllib3",
    "zstandard",
}
_FOR_TLS = {"OpenSSL", "cryptography", "service_identity"}

# What the daemon imports, but loads only when it is first used.
_DEFERRED = {
    *("asyncio.base_events", "http.client", "twisted.spread.banana"),
    *("twisted.web._template_util", "xml.sax", "_bz2", "_lzma"),
}

# The program as it is, and at SIGUSR1 the names of all that it has loaded.
_PROGRAM = """
import json, os, signal, sys

def write_modules(*_):
    with open("modules.new", "w") as file:
        names = [name for name, module in sys.modules.items() if module is not None]
        json.dump(names, file)
    os.rename("modules.new", "modules")

signal.signal(signal.SIGUSR1, write_modules)
from {module} import {function}
{function}()
"""


class LoadedModulesTests(EndToEndTestCase):
    """Tests for what a daemon has in memory that has served a manifest and a blob."""

    program = _PROGRAM.format(module="twisted.scripts.twistd", function="run")
    words: tuple[str, ...] = ("-n", "--pidfile=", "--logfile=log", "minreg")
    unused: AbstractSet[str] = _LIBRARIES

    def setUp(self) -> None:
        """Write a tree."""
        self.directory = self.make_directory()
        self.root = os.path.join(self.directory, "tree")
        with TreeWriter(self.root, "a test") as tree:
            write_sample(tree)
        self.port = free_port()
        # Twisted's first look for plugins loads all of them, and keeps what it found.
        find = "from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))"
        subprocess.run([sys.executable, "-c", find], check=True)

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        """Start a daemon that can be asked for its modules."""
        process = subprocess.Popen(
            [sys.executable, "-c", self.program, *self.words, "--root", self.root, *options],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def connect(self) -> HTTPConnection:
        """Make the connection to ask with."""
        return HTTPConnection("127.0.0.1", self.port, timeout=10)

    def get(self, path: str, accept: str = "*/*", seconds: float = 30) -> bytes:
        """Ask for something, as soon as the daemon answers."""
        deadline = time.monotonic() + seconds
        while True:
            connection = self.connect()
            try:
                connection.request("GET", path, headers={"Accept": accept})
                response = connection.getresponse()
                self.assertEqual(response.status, 200)
                return response.read()
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            finally:
                connection.close()

    def pull(self) -> None:
        """Ask for an index, a manifest, and a blob."""
        index = json.loads(self.get(f"/v2/{REPOSITORY}/manifests/latest"))
        digest = index["manifests"][0]["digest"]
        manifest = json.loads(self.get(f"/v2/{REPOSITORY}/manifests/{digest}"))
        self.get(f"/v2/{REPOSITORY}/blobs/{manifest['layers'][0]['digest']}")

    def loaded(self, process: "subprocess.Popen[bytes]", seconds: float = 30) -> set[str]:
        """Return the modules that the daemon has loaded, and their packages."""
        process.send_signal(signal.SIGUSR1)
        path = os.path.join(self.directory, "modules")
        deadline = time.monotonic() + seconds
        while not os.path.exists(path) and time.monotonic() < deadline:
            time.sleep(0.05)
        with open(path, encoding="utf-8") as file:
            names = json.load(file)
        os.unlink(path)
        return {*names, *(name.partition(".")[0] for name in names)}

    def test_nothing_of_the_commands(self) -> None:
        """Whatever is installed for commands, and for TLS, is not loaded."""
        process = self.start("--port", str(self.port))
        self.pull()
        self.assertEqual(self.loaded(process) & (self.unused | _FOR_TLS), set())

    def test_nothing_for_tls_in_workers(self) -> None:
        """Worker processes do not load the libraries for TLS either."""
        process = self.start("--port", str(self.port), "--workers", "2")
        self.pull()
        # The main process serves too, and so is one of the two.
        (worker,) = self.wait_for_workers(process, 1)
        with open(f"/proc/{worker}/maps", encoding="utf-8") as file:
            mapped = file.read()
        self.assertNotIn("/cryptography/", mapped)

    def wait_for_workers(
        self, process: "subprocess.Popen[bytes]", count: int, seconds: float = 30
    ) -> list[str]:
        """Return the process IDs of workers that listen."""
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with open(children, encoding="ascii") as file:
                workers = [worker for worker in file.read().split() if self.listens(worker)]
            if len(workers) == count:
                return workers
            time.sleep(0.05)
        raise AssertionError(f"{count} workers do not listen after {seconds} seconds")

    def listens(self, process_id: str) -> bool:
        """Return whether a process has an open socket that listens on the port."""
        directory = f"/proc/{process_id}/fd"
        with (
            contextlib.suppress(OSError),
            open(f"/proc/{process_id}/net/tcp", encoding="ascii") as file,
        ):
            lines = [line.split() for line in file]
            # The fields: number, local address, remote address, state (0A: LISTEN), ..., inode.
            sockets = {
                f"socket:[{fields[9]}]"
                for fields in lines
                if fields[1].endswith(f":{self.port:04X}") and fields[3] == "0A"
            }
            for descriptor in os.listdir(directory):
                with contextlib.suppress(FileNotFoundError):
                    if os.readlink(os.path.join(directory, descriptor)) in sockets:
                        return True
        return False

    def test_tls(self) -> None:
        """With an endpoint for TLS, what that needs is loaded, and it works."""
        path = os.path.join(self.directory, "certificate.pem")
        with open(path, "wb") as file:
            file.write(make_certificate(["127.0.0.1"], is_authority=True))
        context = ssl.create_default_context(cafile=path)

        def connect() -> HTTPConnection:
            return HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)

        self.connect = connect  # type: ignore[method-assign]
        process = self.start(
            "--listen",
            f"ssl:{self.port}:interface=127.0.0.1:privateKey={path}:certKey={path}",
        )
        self.pull()
        loaded = self.loaded(process)
        self.assertIn("OpenSSL", loaded)
        self.assertEqual(loaded & self.unused, set())


class ServeTests(LoadedModulesTests):
    """The same tests for ``minreg serve``, which is what the service runs."""

    program = _PROGRAM.format(module="minreg.cli", function="main")
    words = ("serve",)
    unused = (_LIBRARIES - {"click"}) | _DEFERRED

    def test_everything_is_used(self) -> None:
        """The page and the metrics work, and have what they need loaded."""
        process = self.start("--port", str(self.port))
        self.pull()
        self.assertEqual(self.loaded(process) & _DEFERRED, set())
        self.assertIn(b"<html", self.get("/", "text/html"))
        self.assertIn(REPOSITORY.encode(), self.get(f"/?q={REPOSITORY}", "text/html"))
        self.assertIn(b"minreg_", self.get("/metrics"))
        self.assertIn("twisted.web._template_util", self.loaded(process))
