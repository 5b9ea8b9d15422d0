"""Tests for the units on a node whose registry tree is on its own disk."""

import os

from tests.e2e.content import write_sample
from tests.e2e.units import ROOT, UnitsTestCase

_SAMPLE = "/v2/minreg/sample/tags/list"
_PARENT = "/var/lib/rancher"
_MOUNT = """
[Mount]
What={what}
Where={where}
Type={type}
Options={options}
"""


class DisksTests(UnitsTestCase):
    """Tests for a disk that systemd mounts, or cannot mount."""

    def add_mount(self, what: str, where: str, kind: str, options: str) -> str:
        """Add a file system that is mounted at boot, and return its unit."""
        name = f"{where[1:].replace('/', '-')}.mount"
        with open(f"{self.units}/{name}", "w", encoding="ascii") as file:
            file.write(_MOUNT.format(what=what, where=where, type=kind, options=options))
        return name

    def test_mounted_first(self) -> None:
        """A disk above the tree is mounted before the registry starts, if it is in fstab."""
        disk = self.make_directory()
        os.chmod(disk, 0o755)
        write_sample(disk + ROOT.removeprefix(_PARENT))
        mount = self.add_mount(disk, _PARENT, "none", "bind")
        systemd = self.boot()
        self.assertEqual(self.ask(_SAMPLE)[0], 200)
        self.assertEqual(systemd.show(mount, "ActiveState"), {"ActiveState": "active"})

    def test_cannot_be_mounted(self) -> None:
        """If the disk fails, the boot continues, and the response is 503 with the reason."""
        mount = self.add_mount("tmpfs", _PARENT, "tmpfs", "nosuchoption=1")
        systemd = self.boot()
        status, body = self.ask(_SAMPLE)
        self.assertEqual(status, 503)
        self.assertIn(f"root {ROOT} is still empty".encode(), body)
        self.assertEqual(systemd.show(mount, "ActiveState"), {"ActiveState": "failed"})
        self.assertNotIn("Job minreg.service/start failed", systemd.output())

    def test_no_place(self) -> None:
        """The same holds if the directory of the tree cannot be created."""
        self.add_mount("tmpfs", _PARENT, "tmpfs", "ro")
        systemd = self.boot()
        status, body = self.ask(_SAMPLE)
        self.assertEqual(status, 503)
        self.assertIn(f"root {ROOT} does not exist yet".encode(), body)
        state = systemd.show("minreg-root.service", "Result")
        self.assertEqual(state, {"Result": "exit-code"})
