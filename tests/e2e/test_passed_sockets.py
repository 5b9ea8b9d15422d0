"""Tests for sockets that systemd opens before the daemon runs."""

import os
import socket

from tests.e2e.content import write_sample
from tests.e2e.programs import free_port
from tests.e2e.test_activation import ActivationTestCase
from tests.e2e.test_workers import children

_SAMPLE = "/v2/minreg/sample/tags/list"


class SocketTests(ActivationTestCase):
    """Tests for passed sockets."""

    def test_pull_comes_first(self) -> None:
        """A request that arrives before the daemon runs starts it, and is answered."""
        write_sample(self.root)
        self.activate()
        connection = self.connect()
        connection.request("GET", _SAMPLE)
        response = connection.getresponse()
        self.assertEqual(response.status, 200)
        self.assertEqual(response.read(), b'{"name": "minreg/sample", "tags": ["1.0", "latest"]}')

    def test_several(self) -> None:
        """All passed sockets are served."""
        other = free_port()
        self.activate(f"--listen=127.0.0.1:{self.port}", f"--listen=127.0.0.2:{other}")
        self.assertEqual(self.ask(self.connect()), 200)
        self.assertEqual(self.ask(self.connect("127.0.0.2", other)), 200)

    def test_in_twisted_words(self) -> None:
        """One can be selected by its number or its name; the family is not needed."""
        for choice in ("index=0", "name=registry"):
            self.listen = f"systemd:domain=INET:{choice}"
            process = self.activate("--fdname=registry", f"--listen=127.0.0.1:{self.port}")
            self.assertEqual(self.ask(self.connect()), 200)
            process.kill()
            process.wait()

    def test_both_families(self) -> None:
        """For a socket for IPv4 and IPv6, the log has the client's address."""
        self.activate(f"--listen={self.port}")
        self.assertEqual(self.ask(self.connect()), 200)
        self.wait_until(lambda: "127.0.0.1 GET /v2/" in self.log())
        self.assertEqual(self.ask(self.connect("::1")), 200)
        self.wait_until(lambda: "::1 GET /v2/" in self.log())

    def test_path(self) -> None:
        """A Unix socket keeps its file, which belongs to systemd."""
        path = os.path.join(self.directory, "socket")
        process = self.activate(f"--listen={path}")
        connection = self.connect()
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(path)
        self.assertEqual(self.ask(connection), 200)
        process.terminate()
        process.wait(20)
        self.assertTrue(os.path.exists(path))

    def test_status(self) -> None:
        """A socket that is passed for the status does not serve the registry."""
        self.options = ["--status-listen=systemd:index=1"]
        other = free_port()
        self.activate(f"--listen=127.0.0.1:{self.port}", f"--listen=127.0.0.1:{other}")
        for port, statuses in ((self.port, (200, 404)), (other, (404, 200))):
            asked = tuple(self.ask(self.connect(port=port), path) for path in ("/v2/", "/livez"))
            self.assertEqual(asked, statuses)

    def test_workers(self) -> None:
        """All workers serve the sockets, and so does a worker that replaces another."""
        self.options = ["--workers=3"]
        process = self.activate()
        self.assertEqual(self.ask(self.connect()), 200)
        self.wait_until(lambda: len(self.serving(process.pid)) == 2)
        victim = self.serving(process.pid)[0]
        os.kill(victim, 9)
        self.wait_until(lambda: len(set(self.serving(process.pid)) - {victim}) == 2)
        self.assertEqual(self.log().count("a worker has ended"), 1)
        self.assertEqual(self.ask(self.connect()), 200)

    def serving(self, daemon: int) -> list[int]:
        """Return the workers that accept connections: those that wait for events."""
        return [pid for pid in children(daemon) if "anon_inode:[eventpoll]" in opened(pid)]

    def test_none(self) -> None:
        """Without its socket, the daemon does not start, and says in one line what is missing."""
        process = self.start()
        said, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 2)
        self.assertIn("systemd has passed no such socket: start minreg.socket", said)
        self.assertEqual(said.count("\n"), 1)


def opened(process: int) -> set[str]:
    """Return the open files of a process."""
    directory = f"/proc/{process}/fd"
    try:
        return {os.readlink(os.path.join(directory, name)) for name in os.listdir(directory)}
    except FileNotFoundError:
        return set()
