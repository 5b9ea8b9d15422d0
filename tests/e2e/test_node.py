"""``minreg node`` as a program, and under a real systemd."""

import os
import subprocess

from minreg.commands.node import STOP
from tests.e2e.programs import ProgramFailed, installed, run
from tests.e2e.support import EndToEndTestCase
from tests.e2e.units import UnitsTestCase

_UNITS = "/etc/systemd/system"


class OutputTests(EndToEndTestCase):
    """Tests for closed pipes."""

    def test_reader_leaves(self) -> None:
        """If only the first lines of the output are read, everything is installed."""
        node = self.make_directory()
        read, written = os.pipe()
        os.close(read)
        try:
            ended = subprocess.run(
                [
                    *(installed("minreg"), "node", "install", f"--destdir={node}"),
                    "--program=/opt/minreg/bin/minreg",
                ],
                stdout=written,
                stderr=subprocess.PIPE,
                check=False,
            )
        finally:
            os.close(written)
        self.assertEqual(ended.stderr, b"")
        self.assertTrue(os.path.exists(f"{node}/etc/rancher/k3s/registries.yaml"))


class DryRunTests(EndToEndTestCase):
    """Tests for ``install --dry-run`` on the node itself."""

    def setUp(self) -> None:
        """Check that the machine's own units can be hidden."""
        self.need_to_mount()
        self.need_programs("systemctl")

    def dry_run(self, program: str) -> str:
        """Run it where no units are visible, whatever is installed on this machine."""
        command = f"{installed('minreg')} node install --dry-run --program={program}"
        hide_units = f"mount -t tmpfs none {_UNITS}"
        return run("unshare", "--mount", "sh", "-ec", f"{hide_units} && exec {command}")

    def test_steps(self) -> None:
        """The output of a dry run has no next step."""
        said = self.dry_run("/bin/sh")
        self.assertIn("would be", said)
        self.assertNotIn("now:", said)

    def test_program_is_looked_at(self) -> None:
        """A program that cannot run is refused."""
        said = str(self.assertRaises(ProgramFailed, self.dry_run, "/opt/nosuch/bin/minreg"))
        self.assertIn("/opt/nosuch/bin/minreg: 2\n", said)
        self.assertIn("/opt/nosuch/bin/minreg does not exist", said)


class UninstallTests(UnitsTestCase):
    """Tests for the files that ``uninstall`` leaves."""

    def test_stop(self) -> None:
        """Once its files are gone, what it says next stops all that ran."""
        systemd = self.boot()
        self.assertEqual(self.ask("/v2/"), (200, b"{}"))
        systemd.run("sh", "-c", "rm -r /run/units/minreg* /run/units/*.wants/minreg*")
        systemd.run("sh", "-c", STOP)
        units = ("minreg.socket", "minreg.service", "minreg-route.service")
        for unit in units:
            self.assertEqual(systemd.show(unit, "ActiveState"), {"ActiveState": "inactive"})
        self.assertRaises(ConnectionRefusedError, self.ask, "/v2/")
