"""What the tests of the units share: a systemd that runs what ``minreg node install`` writes."""

import os
import sys
from http.client import HTTPConnection

from tests.e2e.programs import free_port, installed, run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.systemd import Systemd

ROOT = "/var/lib/rancher/k3s/server/registry"

# The program of the tests lies where no service of a node looks for one.
_VISIBLE = """
[Service]
ProtectHome=tmpfs
BindReadOnlyPaths={places}
"""


class UnitsTestCase(EndToEndTestCase):
    """A test with a systemd of its own, and with the units in ``units``."""

    def setUp(self) -> None:
        """Install into a directory, and have the units run what is under test."""
        self.port = free_port()
        self.registry = f"127.0.0.1:{self.port}"
        node = self.make_directory()
        run(
            *(installed("minreg"), "node", "install", "--destdir", node),
            *("--program", "/opt/minreg/bin/twistd", "--no-route"),
        )
        self.units = os.path.join(node, "etc/systemd/system")
        self.rewrite("minreg.socket", ":9080", f":{self.port}")
        self.rewrite("minreg.service", "/opt/minreg/bin/twistd", installed("twistd"))
        places = {sys.prefix, sys.base_prefix, *filter(os.path.isdir, sys.path)}
        self.drop_in("minreg.service", _VISIBLE.format(places=" ".join(sorted(places))))

    def rewrite(self, unit: str, old: str, new: str) -> None:
        """Change a unit before systemd reads it."""
        path = os.path.join(self.units, unit)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def drop_in(self, unit: str, text: str) -> None:
        """Add to a unit, as ``systemctl edit`` does."""
        directory = os.path.join(self.units, f"{unit}.d")
        os.makedirs(directory, exist_ok=True)
        number = len(os.listdir(directory))
        with open(os.path.join(directory, f"{number}.conf"), "w", encoding="utf-8") as file:
            file.write(text)

    def enable_route(self) -> None:
        """Have the default route made at boot, as ``--route`` does."""
        unit = "minreg-route.service"
        os.symlink(f"../{unit}", os.path.join(self.units, "multi-user.target.wants", unit))

    def boot(self, *, alone: bool = False) -> Systemd:
        """Start a systemd on the units, which ends with the test."""
        systemd = Systemd(self.units, alone=alone)
        self.addCleanup(systemd.stop)
        systemd.wait_until_it_runs()
        self.root = f"{systemd.state}/{ROOT.removeprefix('/var/lib/')}"
        return systemd

    def ask(self, path: str) -> tuple[int, bytes]:
        """Ask the registry, on a new connection."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
