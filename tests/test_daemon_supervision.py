"""Tests for ``minreg.daemon.systemd``."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.systemd import Notifier, Supervision


class SupervisionTests(SynchronousTestCase):
    """Tests for ``Supervision``."""

    def setUp(self) -> None:
        """Create a clock, and a list of the messages to systemd."""
        self.clock = Clock()
        self.told: list[bytes] = []

    def start(self, watchdog: float | None) -> Supervision:
        """Start the service, and run the reactor's first iteration."""
        notifier = Notifier(self.told.append, watchdog)
        supervision = Supervision(notifier, self.clock, lambda: "well", lambda: 5_000_999)
        supervision.startService()
        return supervision

    def test_ready(self) -> None:
        """``READY`` is sent when the reactor runs, not before."""
        self.start(None)
        self.assertEqual(self.told, [])
        self.clock.advance(0)
        self.assertEqual(self.told, [b"READY=1\nSTATUS=well"])

    def test_watchdog(self) -> None:
        """``WATCHDOG`` is sent twice in each interval of systemd."""
        self.start(10.0)
        self.clock.advance(0)
        self.clock.pump([5.0, 5.0])
        self.assertEqual(self.told[1:], [b"WATCHDOG=1\nSTATUS=well"] * 2)

    def test_status(self) -> None:
        """Without a watchdog, only a status line is sent, now and then."""
        self.start(None)
        self.clock.advance(0)
        self.clock.pump([29.0, 1.0])
        self.assertEqual(self.told[1:], [b"STATUS=well"])

    def test_reload(self) -> None:
        """A reload sends its beginning, with the time in microseconds, and its end."""
        supervision = self.start(None)
        supervision.reload(lambda: self.told.append(b"done"))
        self.assertEqual(
            self.told,
            [b"RELOADING=1\nMONOTONIC_USEC=5000", b"done", b"READY=1\nSTATUS=well"],
        )

    def test_stop(self) -> None:
        """The stop is sent, and nothing after it."""
        supervision = self.start(10.0)
        self.clock.advance(0)
        supervision.stopService()
        self.clock.pump([5.0, 5.0])
        self.assertEqual(
            self.told[1:], [b"STOPPING=1\nSTATUS=stopping: transfers in progress may finish"]
        )

    def test_stop_at_once(self) -> None:
        """A daemon that is stopped before it runs does not send ``READY``."""
        self.start(None).stopService()
        self.clock.advance(0)
        self.assertNotIn(b"READY=1", b"".join(self.told))
        self.assertEqual(self.clock.getDelayedCalls(), [])
