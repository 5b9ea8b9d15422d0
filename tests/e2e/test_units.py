"""Tests for the units under a real systemd."""

import os
import signal

from tests.e2e.content import write_sample
from tests.e2e.images import read_file
from tests.e2e.programs import installed, run
from tests.e2e.units import ROOT, UnitsTestCase

_SERVED = (200, b'{"name": "minreg/sample", "tags": ["1.0", "latest"]}')
_SAMPLE = "/v2/minreg/sample/tags/list"


class BootTests(UnitsTestCase):
    """Tests for a node that boots."""

    def test_pull_before_it_is_up(self) -> None:
        """A request during the boot waits for the registry, and is answered."""
        systemd = self.boot()
        state = systemd.show("minreg.service", "ActiveState")
        self.assertEqual(self.ask("/v2/"), (200, b"{}"))
        self.assertEqual(state, {"ActiveState": "activating"})
        self.wait_until(
            lambda: systemd.show("minreg.service", "ActiveState")["ActiveState"] == "active"
        )

    def test_root_comes_later(self) -> None:
        """A tree that is unpacked later is served without a restart."""
        systemd = self.boot()
        status, body = self.ask(_SAMPLE)
        self.assertEqual(status, 503)
        self.assertIn(f"root {ROOT} is still empty".encode(), body)
        self.assertEqual(self.ask("/readyz")[0], 503)
        write_sample(self.root)
        self.assertEqual(self.ask(_SAMPLE), _SERVED)
        self.assertEqual(self.ask("/readyz"), (200, b"ok\n"))
        # Nobody but root looks into what K3s keeps there.
        self.assertEqual(os.stat(os.path.dirname(self.root)).st_mode & 0o777, 0o700)
        self.assertEqual(systemd.show("minreg.service", "NRestarts"), {"NRestarts": "0"})

    def test_disk_is_mounted_later(self) -> None:
        """A file system that is mounted at the root later is served without a restart."""
        systemd = self.boot()
        self.assertEqual(self.ask(_SAMPLE)[0], 503)
        systemd.run("mount", "-t", "tmpfs", "tmpfs", ROOT)
        elsewhere = self.make_directory()
        os.chmod(elsewhere, 0o755)
        write_sample(elsewhere)
        systemd.run("cp", "--archive", f"{elsewhere}/.", ROOT)
        self.assertEqual(self.ask(_SAMPLE), _SERVED)


class ServiceTests(UnitsTestCase):
    """Tests for the service while it runs."""

    def setUp(self) -> None:
        """Boot with a short watchdog, and wait until the registry is ready."""
        super().setUp()
        self.drop_in("minreg.service", "[Service]\nWatchdogSec=2\n")
        self.systemd = self.boot()
        self.wait_until(lambda: self.show("ActiveState") == "active")

    def show(self, name: str) -> str:
        """Return a property of the service."""
        return self.systemd.show("minreg.service", name)[name]

    def test_privileges(self) -> None:
        """It runs as its own user, without capabilities, with a filter of system calls."""
        number = self.show("MainPID")
        status = self.systemd.run("cat", f"/proc/{number}/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines())
        self.assertNotIn("0", fields["Uid"].split())
        for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh"):
            self.assertEqual(int(fields[kind], 16), 0)
        self.assertEqual((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"))

    def test_view(self) -> None:
        """Below /var, it sees only the tree, and cannot write to it."""
        open(os.path.join(os.path.dirname(self.root), "token"), "w", encoding="ascii").close()
        os.makedirs(os.path.join(self.root, "rancher"))
        look = ("nsenter", "--mount", "--target", self.show("MainPID"))
        above = os.path.dirname(ROOT)
        self.assertEqual(
            self.systemd.run(*look, "ls", "/var", above, ROOT).split(),
            [
                *("/var:", "lib", "tmp", f"{above}:", "registry", f"{ROOT}:", "rancher"),
            ],
        )
        mounts = self.systemd.run(*look, "findmnt", "--noheadings", "--output=OPTIONS", ROOT)
        self.assertIn("ro", mounts.strip().split(","))

    def test_status(self) -> None:
        """``systemctl status`` has the status line."""
        self.wait_until(lambda: "still empty" in self.show("StatusText"))
        write_sample(self.root)
        self.ask(_SAMPLE)
        self.wait_until(lambda: "1 requests answered" in self.show("StatusText"))

    def test_reload(self) -> None:
        """A reload succeeds, and the process stays the same."""
        before = self.show("MainPID")
        self.systemd.control("reload", "minreg.service")
        self.wait_until(lambda: self.show("ActiveState") == "active")
        self.assertEqual(self.show("MainPID"), before)
        self.assertEqual(self.ask("/v2/"), (200, b"{}"))

    def test_watchdog(self) -> None:
        """A registry that hangs is restarted, and answers the pending request."""
        before = self.show("MainPID")
        self.systemd.run("kill", f"-{signal.SIGSTOP.name}", before)
        self.assertEqual(self.ask("/v2/"), (200, b"{}"))
        self.assertNotEqual(self.show("MainPID"), before)
        self.assertIn("Watchdog timeout", self.systemd.output())


class OptionsTests(UnitsTestCase):
    """Tests for an operator's changes of the units."""

    def test_workers(self) -> None:
        """Several processes serve the socket, with the same restrictions."""
        self.drop_in(
            "minreg.service",
            '[Service]\nEnvironment="MINREG_OPTIONS=--workers=2 --log-format=json"\n',
        )
        systemd = self.boot()
        self.assertEqual(self.ask("/v2/"), (200, b"{}"))
        first = systemd.show("minreg.service", "MainPID")["MainPID"]
        children = f"/proc/{first}/task/{first}/children"
        worker = systemd.run("cat", children)
        self.assertEqual(len(worker.split()), 1)
        systemd.run("kill", "-STOP", first)
        try:
            self.assertEqual(self.ask("/v2/"), (200, b"{}"))
        finally:
            systemd.run("kill", "-CONT", first)
        self.assertEqual(systemd.run("cat", children), worker)

    def test_several(self) -> None:
        """The options that the unit suggests all have their effect."""
        text = read_file(os.path.join(self.units, "minreg.service")).decode()
        example = text.partition("systemctl edit minreg\n")[2].partition("\n\n")[0]
        self.drop_in(
            "minreg.service",
            example.replace("#     ", "") + "\nStandardOutput=append:/run/log\n",
        )
        systemd = self.boot()
        self.assertEqual(self.ask("/minreg/style.css")[0], 404)
        self.assertEqual(systemd.run("cat", "/run/log")[0], "{")

    def test_second_socket(self) -> None:
        """The address that the socket unit suggests is added to the default one."""
        text = read_file(os.path.join(self.units, "minreg.socket")).decode()
        example = text.partition("systemctl edit minreg.socket\n")[2].partition("\nIP")[0]
        self.drop_in(
            "minreg.socket",
            example.replace("#     ", "").replace("192.0.2.1", "127.0.0.2"),
        )
        self.boot()
        for host in ("127.0.0.1", "127.0.0.2"):
            self.assertEqual(self.ask("/v2/", host), (200, b"{}"))

    def test_status_socket(self) -> None:
        """A separate socket serves the status, without more permissions for the service."""
        with open(f"{self.units}/minreg-status.socket", "w", encoding="ascii") as file:
            file.write(f"[Socket]\nService=minreg.service\nListenStream=127.0.0.2:{self.port}\n")
        self.drop_in(
            "minreg.service",
            "[Unit]\nRequires=minreg-status.socket\nAfter=minreg-status.socket\n[Service]\n"
            'Environment="MINREG_OPTIONS=--status-listen systemd:name=minreg-status.socket"\n',
        )
        self.boot()
        self.assertEqual(self.ask("/livez")[0], 404)
        self.assertEqual(self.ask("/livez", "127.0.0.2"), (200, b"ok\n"))


class FilesTests(UnitsTestCase):
    """Tests for the files of the units."""

    def setUp(self) -> None:
        """Name a program that exists, because systemd checks that."""
        super().setUp()
        self.rewrite("minreg.service", "/opt/minreg/bin/minreg", installed("minreg"))

    def test_verify(self) -> None:
        """``systemd-analyze verify`` finds no problem."""
        self.need_programs("systemd-analyze")
        names = sorted(name for name in os.listdir(self.units) if name.startswith("minreg"))
        units = [f"{self.units}/{name}" for name in names if not name.endswith(".d")]
        self.assertEqual(run("systemd-analyze", "verify", "--man=no", *units), "")

    def test_security(self) -> None:
        """Their exposure, as systemd computes it, is at most 1.5 of 10."""
        self.need_programs("systemd-analyze")
        # Fails where the exposure is higher; the threshold is in tenths.
        run(
            *("systemd-analyze", "security", "--offline=true", "--threshold=15"),
            f"{self.units}/minreg.service",
        )
