"""Tests for ``minreg.daemon.systemd``."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.systemd import (
    Notifier,
    Supervision,
    find_notifier,
    parse_address,
    parse_watchdog,
)


class NotifierTests(SynchronousTestCase):
    """Tests for ``Notifier``."""

    def test_tell(self) -> None:
        """A message is one datagram, with a line for each assignment."""
        sent: list[bytes] = []
        Notifier(sent.append).tell(READY=1, STATUS="3 requests")
        self.assertEqual(sent, [b"READY=1\nSTATUS=3 requests"])


class FindNotifierTests(SynchronousTestCase):
    """Tests for ``find_notifier``."""

    def test_nobody(self) -> None:
        """Without a usable ``NOTIFY_SOCKET`` there is no notifier."""
        for environment in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}):
            self.assertIs(find_notifier(environment), None)

    def test_not_inherited(self) -> None:
        """Child processes do not inherit the variables."""
        environment = {"NOTIFY_SOCKET": "x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "A": ""}
        find_notifier(environment)
        self.assertEqual(environment, {"A": ""})

    def test_deaf(self) -> None:
        """A message that cannot be sent is not an error."""
        notifier = find_notifier({"NOTIFY_SOCKET": "/does/not/exist", "WATCHDOG_USEC": "5000000"})
        assert notifier is not None
        notifier.tell(READY=1)
        self.assertEqual(notifier.watchdog, 5.0)


class ParseTests(SynchronousTestCase):
    """Tests for parsing the variables of systemd."""

    def test_address(self) -> None:
        """A path is used as it is; ``@`` is the null byte of an abstract name."""
        self.assertEqual(parse_address("/run/systemd/notify"), "/run/systemd/notify")
        self.assertEqual(parse_address("@minreg/notify"), "\0minreg/notify")
        for nothing in ("", "/", "@", "run/notify"):
            self.assertIs(parse_address(nothing), None)

    def test_watchdog(self) -> None:
        """Microseconds are converted to seconds, if the watchdog is for this process."""
        self.assertEqual(parse_watchdog("30000000", "", 7), 30.0)
        self.assertEqual(parse_watchdog("30000000", "7", 7), 30.0)
        for microseconds, expected in (
            ("30000000", "8"),
            ("0", ""),
            ("", ""),
            ("-1", ""),
            ("x", ""),
        ):
            self.assertIs(parse_watchdog(microseconds, expected, 7), None)


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
