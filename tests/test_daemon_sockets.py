"""Tests for ``minreg.daemon.sockets`` and ``minreg.daemon.unix_port``."""

import os
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.sockets import (
    PassedSocket,
    choose_sockets,
    find_passed,
    find_sockets,
    is_passed,
)
from minreg.daemon.unix_port import PassedUnixPort

_TWO = {"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a.socket:b.socket"}


class FindSocketsTests(SynchronousTestCase):
    """Tests for ``find_sockets``."""

    def test_named(self) -> None:
        """Sockets are numbered from 3 on, and have the names of their units."""
        self.assertEqual(
            find_sockets(_TWO, 7), [PassedSocket(3, "a.socket"), PassedSocket(4, "b.socket")]
        )

    def test_nameless(self) -> None:
        """Sockets without names get the name that libsystemd uses."""
        for names in ({}, {"LISTEN_FDNAMES": "a"}, {"LISTEN_FDNAMES": "a:b:c"}):
            environment = {"LISTEN_PID": "7", "LISTEN_FDS": "2", **names}
            self.assertEqual(
                find_sockets(environment, 7),
                [PassedSocket(3, "unknown"), PassedSocket(4, "unknown")],
            )

    def test_not_ours(self) -> None:
        """Sockets for another process are ignored."""
        self.assertEqual(find_sockets(_TWO, 8), [])
        for environment in ({}, {"LISTEN_PID": "7"}, {**_TWO, "LISTEN_FDS": "x"}):
            self.assertEqual(find_sockets(environment, 7), [])

    def test_this_process(self) -> None:
        """No sockets were passed to the process of the tests."""
        self.assertEqual(find_passed(), [])


class ChooseSocketsTests(SynchronousTestCase):
    """Tests for ``is_passed`` and ``choose_sockets``."""

    sockets = (PassedSocket(3, "a"), PassedSocket(4, "b"), PassedSocket(5, "b"))

    def choose(self, description: str) -> list[int]:
        """Return the descriptors of the chosen sockets."""
        self.assertTrue(is_passed(description))
        return [passed.descriptor for passed in choose_sockets(self.sockets, description)]

    def test_chosen(self) -> None:
        """A description selects all sockets, those of a name, or one; ``domain`` is ignored."""
        for description, chosen in (
            ("systemd", [3, 4, 5]),
            ("systemd:domain=INET", [3, 4, 5]),
            ("systemd:name=b", [4, 5]),
            ("systemd:domain=INET6:index=1", [4]),
            ("systemd:index=3", []),
            ("systemd:name=c", []),
        ):
            self.assertEqual(self.choose(description), chosen, description)

    def test_wrong(self) -> None:
        """Any other parameter is an error."""
        for description in ("systemd:x", "systemd:port=1", "systemd:index=a"):
            self.assertRaises(ValueError, choose_sockets, self.sockets, description)

    def test_others(self) -> None:
        """Other endpoints are left to Twisted."""
        self.assertFalse(is_passed("tcp:9080"))


class FakeUnixSocket:
    """A passed socket that records what is done to it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.calls: list[str] = []

    def getsockname(self) -> str:
        """Return the path of its file."""
        return self._path

    def fileno(self) -> int:
        """Return an unused descriptor."""
        return -1

    def shutdown(self, _how: int) -> None:
        """Record a shutdown, which would close the socket for all processes."""
        self.calls.append("shutdown")

    def close(self) -> None:
        """Record that it is closed."""
        self.calls.append("close")


class PassedUnixPortTests(SynchronousTestCase):
    """Tests for ``PassedUnixPort``."""

    def test_stop(self) -> None:
        """Stopping closes the socket, and affects neither its file nor other processes."""
        path = self.mktemp()
        with open(path, "wb"):
            pass
        passed: Any = FakeUnixSocket(path)
        port = PassedUnixPort(passed, Factory(), MemoryReactor())
        port.startListening()
        port.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(passed.calls, ["close"])
        self.assertTrue(os.path.exists(path))
