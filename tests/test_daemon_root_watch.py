"""Tests for ``minreg.daemon.service``."""

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from minreg.daemon.service import RootWatch
from minreg.store.interfaces import StoreNotReady


class RootWatchTests(SynchronousTestCase):
    """Tests for ``RootWatch``."""

    def setUp(self) -> None:
        """Create a watch of a root that does not exist."""
        self.clock = Clock()
        self.problem = "root /srv/registry does not exist yet"
        self.looks = 0
        self.events = self.enterContext(capturedLogs())
        self.watch = RootWatch(self.look, self.clock)

    def look(self) -> Deferred[None]:
        """Check the root, as the disk would."""
        self.looks += 1
        return fail(StoreNotReady(self.problem)) if self.problem else succeed(None)

    def lines(self) -> list[str | None]:
        """Return the events and reasons that were logged."""
        return [formatEvent(event) for event in self.events]

    def test_comes_later(self) -> None:
        """The log says once that the root is unavailable, and once that it is available."""
        self.watch.startService()
        self.clock.pump([2.0, 2.0])
        waiting = "waiting for the root: root /srv/registry does not exist yet"
        self.assertEqual(self.lines(), [waiting])
        self.assertEqual(self.watch.problem, self.problem)
        self.problem = ""
        self.clock.pump([2.0, 2.0])
        self.assertEqual(self.lines(), [waiting, "the root is available now, and served"])
        self.assertEqual(self.watch.problem, "")
        self.assertEqual(
            [event["event"] for event in self.events], ["root_unavailable", "root_available"]
        )

    def test_is_there(self) -> None:
        """A root that exists from the start is not logged."""
        self.problem = ""
        self.watch.startService()
        self.clock.pump([2.0])
        self.assertEqual((self.lines(), self.looks), ([], 2))

    def test_stop(self) -> None:
        """After the stop, the root is not checked."""
        self.watch.startService()
        self.watch.stopService()
        self.clock.pump([2.0])
        self.assertEqual(self.looks, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
