"""Tests for ``minreg.node.systemctl``."""

import sys
from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.install import Step
from minreg.node.systemctl import SystemctlResult, UnitFailed, UnitManager, is_booted, run_program

_ROUTE, _SOCKET, _SERVICE = "minreg-route.service", "minreg.socket", "minreg.service"


class FakeSystemd:
    """A fake systemctl and journalctl, which records its commands.

    ``failing`` are units that do not start, ``skipped`` those whose conditions are not met.
    """

    def __init__(self) -> None:
        self.active: dict[str, int] = {}
        self.failing: set[str] = set()
        self.skipped: set[str] = set()
        self.orders: list[str] = []

    def run(self, command: Sequence[str]) -> SystemctlResult:
        """Run a command."""
        match list(command):
            case ["systemctl", "show", unit, "--property=ActiveState"]:
                return SystemctlResult(
                    0, f"ActiveState={'active' if unit in self.active else 'failed'}\n"
                )
            case ["systemctl", "show", unit, "--property=ActiveEnterTimestampMonotonic"]:
                return SystemctlResult(
                    0, f"ActiveEnterTimestampMonotonic={self.active.get(unit, 0)}\n"
                )
            case ["systemctl", *words]:
                self.orders.append(" ".join(words))
                return self._order(words[0], words[-1])
            case ["journalctl", *words] if "--unit=minreg.service" in words:
                return SystemctlResult(
                    0, "option --x not recognized\nFailed with result 'exit-code'.\n"
                )
        return SystemctlResult(0, "")

    def _order(self, verb: str, unit: str) -> SystemctlResult:
        if unit in self.failing:
            return SystemctlResult(1, f"Job for {unit} failed.\n")
        if verb == "stop":
            self.active.clear()
        elif verb in {"start", "restart"} and unit not in self.skipped:
            self.active[unit] = 100_000_000
        return SystemctlResult(0, "")


class UnitManagerTests(SynchronousTestCase):
    """Tests for ``UnitManager``."""

    def setUp(self) -> None:
        """Create a systemd that was started 110 seconds ago."""
        self.systemd = FakeSystemd()
        self.manager = UnitManager(self.systemd.run, lambda: 110.0)

    def start(
        self, *changed: str, with_route: bool = False, installed: float | None = None
    ) -> dict[str, str]:
        """Start all units, and return the actions by unit."""
        steps = self.manager.start_all(changed, with_route=with_route, installed=installed)
        return {step.path: step.action for step in steps}

    def test_first(self) -> None:
        """The socket is started first, and the route last, if it is requested."""
        self.assertEqual(self.start(), {_SOCKET: "started", _SERVICE: "started"})
        self.assertEqual(
            self.systemd.orders, ["daemon-reload", f"start {_SOCKET}", f"restart {_SERVICE}"]
        )
        self.assertEqual(
            list(self.start(with_route=True).items()),
            [(_SOCKET, "already running"), (_SERVICE, "already running"), (_ROUTE, "started")],
        )

    def test_changed(self) -> None:
        """A running unit is restarted if its file was changed."""
        self.start()
        self.assertEqual(
            self.start(_SERVICE, "10-minreg.yaml"),
            {_SOCKET: "already running", _SERVICE: "restarted"},
        )
        self.assertEqual(self.systemd.orders[-1], f"restart {_SERVICE}")

    def test_upgraded(self) -> None:
        """A service that was started before the program was installed is restarted."""
        self.start()
        self.assertEqual(self.start(installed=10.5)[_SERVICE], "already running")
        self.assertEqual(self.start(installed=9.5)[_SERVICE], "restarted")

    def test_route_not_needed(self) -> None:
        """A route that is not needed any more is not a failure."""
        self.systemd.skipped.add(_ROUTE)
        self.assertEqual(self.start(with_route=True)[_ROUTE], "nothing to do")

    def test_failure(self) -> None:
        """A unit that does not start is an error, with its log or systemctl's output."""
        self.systemd.failing.add(_SERVICE)
        error = self.assertRaises(UnitFailed, self.start)
        self.assertEqual(str(error), "minreg.service does not start")
        self.assertEqual(
            error.log, ["option --x not recognized", "Failed with result 'exit-code'."]
        )
        self.systemd.failing = {_SOCKET}
        self.systemd.active.clear()
        error = self.assertRaises(UnitFailed, self.start)
        self.assertEqual(error.log, ["Job for minreg.socket failed."])
        self.assertNotIn(_SERVICE, self.systemd.active)

    def test_stop(self) -> None:
        """All running units are stopped with one command; a second run stops nothing."""
        self.start(with_route=True)
        self.assertEqual(
            list(self.manager.stop_all()),
            [Step(unit, "stopped", is_change=True) for unit in (_SERVICE, _SOCKET, _ROUTE)],
        )
        self.assertEqual(self.systemd.orders[-1], "stop minreg*")
        self.assertEqual(list(self.manager.stop_all()), [])

    def test_order_fails(self) -> None:
        """A command that fails is named in the error, with its output."""
        self.start()
        self.systemd.failing.add("minreg*")
        error = self.assertRaises(UnitFailed, list, self.manager.stop_all())
        self.assertEqual(str(error), "systemctl stop minreg* failed")
        self.assertEqual(error.log, ["Job for minreg* failed."])


class RunProgramTests(SynchronousTestCase):
    """Tests for ``run_program`` and ``is_booted``."""

    def test_outcome(self) -> None:
        """The status is returned, with standard output and standard error."""
        program = "import sys; print('a', flush=True); print('b', file=sys.stderr); sys.exit(3)"
        self.assertEqual(
            run_program([sys.executable, "-c", program]), SystemctlResult(3, "a\nb\n")
        )

    def test_missing(self) -> None:
        """A program that does not exist fails with status 127."""
        self.assertEqual(
            run_program(["/nosuch/systemctl"]),
            SystemctlResult(127, "/nosuch/systemctl: No such file or directory"),
        )

    def test_booted(self) -> None:
        """The directory of systemd tells whether it runs."""
        self.assertFalse(is_booted(self.mktemp()))
        self.assertTrue(is_booted("/"))
