"""Tests for ``minreg.node.systemctl``."""

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.doctor.probe import Reply
from minreg.node.systemctl import wait_until_ready


class WaitTests(SynchronousTestCase):
    """Tests for ``wait_until_ready``."""

    def wait(self, replies: Sequence[Reply]) -> str:
        """Wait for a registry with these responses, the last of which is repeated."""
        self.asked: list[str] = []
        self.slept: list[float] = []

        def ask(url: str) -> Reply:
            self.asked.append(url)
            return replies[min(len(self.asked), len(replies)) - 1]

        return wait_until_ready("http://127.0.0.1:9080", ask, self.slept.append)

    def test_ready(self) -> None:
        """A registry that is ready is requested once, at its health endpoint."""
        for status in (200, 404):
            self.assertEqual(self.wait([Reply(status)]), "responds")
            self.assertEqual(self.asked, ["http://127.0.0.1:9080/readyz"])

    def test_later(self) -> None:
        """A registry that does not respond yet is requested again."""
        refused = Reply(failure="Connection refused")
        self.assertEqual(self.wait([refused, refused, Reply(200)]), "responds")
        self.assertEqual((len(self.asked), self.slept), (3, [0.5, 0.5]))

    def test_no_tree(self) -> None:
        """There is no wait for a tree that is missing."""
        self.assertEqual(self.wait([Reply(503)]), "responds, but has no registry tree yet")
        self.assertEqual(self.slept, [])

    def test_never(self) -> None:
        """After 15 seconds, the last failure is returned."""
        self.assertEqual(self.wait([Reply(failure="timed out")]), "does not respond: timed out")
        self.assertEqual(sum(self.slept), 15)
