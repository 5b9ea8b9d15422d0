"""Tests for the endpoints of ``minreg.tap``."""

from minreg.daemon.sockets import PassedSocket
from minreg.settings import ListenEndpoint, SettingInvalid
from minreg.tap import find_endpoints, find_status
from tests.test_tap import OptionsTestCase


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
