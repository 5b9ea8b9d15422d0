"""The status on a Unix socket, in the directory of the service."""

import os

from tests.e2e.programs import installed, run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.systemd import Systemd
from tests.e2e.units import UnitsTestCase

_SOCKET = "/run/minreg/status.sock"


class MissingTests(EndToEndTestCase):
    """Tests for ``minreg missing``."""

    def test_path(self) -> None:
        """``--url`` may name a socket."""
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
        """The service may listen in its runtime directory."""
        self.drop_in(
            "minreg.service",
            f"[Service]\nEnvironment=MINREG_OPTIONS=--status-listen=unix:{_SOCKET}\n",
        )
        self.need_programs("curl")
        systemd = self.boot()
        self.assert_responds(systemd)
        self.assertEqual(systemd.run("stat", "--format=%a", "/run/minreg"), "700\n")
        # The socket that a crash leaves behind is replaced.
        systemd.control("kill", "--signal=KILL", "minreg.service")
        self.wait_until(
            lambda: (
                systemd.show("minreg.service", "NRestarts", "ActiveState")
                == {"NRestarts": "1", "ActiveState": "active"}
            )
        )
        self.assert_responds(systemd)

    def assert_responds(self, systemd: Systemd) -> None:
        """Check that the registry and its status respond."""
        self.assertEqual(self.ask("/v2/"), (200, b"{}"))
        response = systemd.run("curl", "--silent", "--unix-socket", _SOCKET, "http://x/livez")
        self.assertEqual(response, "ok\n")

    def test_elsewhere(self) -> None:
        """The service cannot listen in another directory, and the error says what to do."""
        self.drop_in(
            "minreg.service",
            "[Service]\nEnvironment=MINREG_OPTIONS=--status-listen=unix:/etc/status.sock\n"
            "StandardError=append:/run/errors\n",
        )
        systemd = self.boot()
        systemd.run("touch", "/run/errors")
        self.wait_until(lambda: "cannot listen there" in systemd.run("cat", "/run/errors"))
        errors = systemd.run("cat", "/run/errors")
        self.assertIn("such as /run/minreg, which the systemd service creates\n", errors)
        self.assertNotIn("Traceback", errors)
