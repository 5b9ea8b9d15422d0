"""Tests for ``minreg.daemon.systemd``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.systemd import Notifier, find_notifier, parse_address, parse_watchdog


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
