"""Support for tests of units: a systemd that runs what ``minreg node install`` writes."""

import os
import sys
from http.client import HTTPConnection

from tests.e2e.images import read_file
from tests.e2e.programs import free_port, installed, run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.systemd import Systemd

ROOT = "/var/lib/rancher/k3s/server/registry"

# The program of the tests, and the Python that it needs, lie where no service of a node looks,
# and where no other user may: in homes, in /tmp, below .tox.
_PROGRAM = "/run/program"
_VISIBLE = """
[Service]
ProtectHome=tmpfs
BindReadOnlyPaths={places}
"""


class UnitsTestCase(EndToEndTestCase):
    """A test with its own systemd, and with the units in ``units``."""

    def setUp(self) -> None:
        """Install into a directory, with a free port."""
        self.port = free_port()
        self.registry = f"127.0.0.1:{self.port}"
        node = self.make_directory()
        run(
            *(installed("minreg"), "node", "install", "--destdir", node),
            *("--program", "/opt/minreg/bin/minreg", "--no-route"),
        )
        self.units = os.path.join(node, "etc/systemd/system")
        self.rewrite("minreg.socket", ":9080", f":{self.port}")

    def rewrite(self, unit: str, old: str, new: str) -> None:
        """Change a unit before systemd reads it."""
        path = os.path.join(self.units, unit)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def use_our_program(self) -> None:
        """Make the service run the program under test."""
        service = os.path.join(self.units, "minreg.service")
        if _PROGRAM in read_file(service).decode():
            return
        program = f"{_PROGRAM}/bin/python {_PROGRAM}/bin/minreg"
        self.rewrite("minreg.service", "/opt/minreg/bin/minreg", program)
        needed = {sys.base_prefix, *filter(os.path.isdir, sys.path)}
        places = [f"{sys.prefix}:{_PROGRAM}"]
        places += sorted(place for place in needed if not place.startswith("/usr"))
        self.drop_in("minreg.service", _VISIBLE.format(places=" ".join(places)))

    def drop_in(self, unit: str, text: str) -> None:
        """Add to a unit, as ``systemctl edit`` does."""
        directory = os.path.join(self.units, f"{unit}.d")
        os.makedirs(directory, exist_ok=True)
        number = len(os.listdir(directory))
        with open(os.path.join(directory, f"{number}.conf"), "w", encoding="utf-8") as file:
            file.write(text)

    def enable_route(self) -> None:
        """Enable the unit of the default route, as ``--route`` does."""
        unit = "minreg-route.service"
        os.symlink(f"../{unit}", os.path.join(self.units, "multi-user.target.wants", unit))

    def boot(self, *, alone: bool = False) -> Systemd:
        """Start a systemd with the units; it is stopped when the test ends."""
        self.use_our_program()
        systemd = Systemd(self.units, alone=alone)
        self.addCleanup(systemd.stop)
        systemd.wait_until_it_runs()
        self.root = f"{systemd.state}/{ROOT.removeprefix('/var/lib/')}"
        return systemd

    def ask(self, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
        """Send a request on a new connection."""
        connection = HTTPConnection(host, self.port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
