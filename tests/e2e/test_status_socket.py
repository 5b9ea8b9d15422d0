"""Status on a socket with a path, which the service has a directory for."""

import os

from tests.e2e.programs import installed, run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.systemd import Systemd
from tests.e2e.units import UnitsTestCase

_SOCKET = "/run/minreg/status.sock"


class MissingTests(EndToEndTestCase):
    """Tests for ``minreg missing``."""

    def test_path(self) -> None:
        """It asks a socket as it asks an address."""
        self.need_programs("curl")
        directory = self.make_directory()
        path = os.path.join(directory, "status.sock")
        daemon = self.start_daemon(directory, "--status-listen", f"unix:{path}")
        run("curl", "--silent", f"http://{daemon.registry}/v2/x/manifests/1?ns=quay.io")
        listed = run(installed("minreg"), "missing", "--url", f"unix:{path}")
        self.assertIn("quay.io/x:1", listed)


class ServiceTests(UnitsTestCase):
    """Tests for the service."""

    def test_path(self) -> None:
        """The service may listen in its own directory, which goes and comes with it."""
        self.drop_in(
            "minreg.service",
            f"[Service]\nEnvironment=MINREG_OPTIONS=--status-listen=unix:{_SOCKET}\n",
        )
        self.need_programs("curl")
        systemd = self.boot()
        self.assert_there(systemd)
        self.assertEqual(systemd.run("stat", "--format=%a", "/run/minreg"), "700\n")
        # What a crash leaves behind is in nobody's way.
        systemd.control("kill", "--signal=KILL", "minreg.service")
        self.wait_until(
            lambda: (
                systemd.show("minreg.service", "NRestarts", "ActiveState")
                == {"NRestarts": "1", "ActiveState": "active"}
            )
        )
        self.assert_there(systemd)

    def assert_there(self, systemd: Systemd) -> None:
        """Ask for status."""
        self.assertEqual(self.ask("/v2/"), (200, b"{}"))
        asked = systemd.run("curl", "--silent", "--unix-socket", _SOCKET, "http://x/livez")
        self.assertEqual(asked, "ok\n")

    def test_elsewhere(self) -> None:
        """Anywhere else it may not, and says what to do."""
        self.drop_in(
            "minreg.service",
            "[Service]\nEnvironment=MINREG_OPTIONS=--status-listen=unix:/etc/status.sock\n"
            "StandardError=append:/run/said\n",
        )
        systemd = self.boot()
        systemd.run("touch", "/run/said")
        self.wait_until(lambda: "cannot listen there" in systemd.run("cat", "/run/said"))
        said = systemd.run("cat", "/run/said")
        self.assertIn("such as /run/minreg of the service\n", said)
        self.assertNotIn("Traceback", said)
