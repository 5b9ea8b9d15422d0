"""Tests for ``minreg.web.status.not_found``: what is kept of what was missed."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.status.not_found import AGAIN, NotFoundContent, NotFoundLog, network_of

NODE = "containerd/v2.0.4-k3s2"
HERE = "127.0.0.1"
DIGEST = f"sha256:{'0' * 64}"


def wanted(name: str, reference: str = "1", namespace: str = "docker.io") -> NotFoundContent:
    """Want a manifest."""
    return NotFoundContent(namespace, name, reference, is_blob=False)


class MissesTestCase(SynchronousTestCase):
    """A record with a clock."""

    def setUp(self) -> None:
        """Begin a record."""
        self.clock = Clock()
        self.clock.advance(1000)
        self.misses = NotFoundLog(self.clock.seconds)

    def names(self) -> list[str]:
        """Name the repositories in the record, in order."""
        return [miss.wanted.repository for miss in self.misses.list()]


class RecordTests(MissesTestCase):
    """Tests for what is told of a miss."""

    def test_again(self) -> None:
        """What is missed again has one entry, with both times, and who asked last."""
        self.misses.add(wanted("a"), NODE, HERE)
        self.clock.advance(5)
        self.misses.add(wanted("a"), "crictl", HERE)
        [miss] = self.misses.list()
        self.assertEqual((miss.first, miss.last, miss.count), (1000, 1005, 2))
        self.assertEqual((miss.user_agent, miss.is_of_a_node), ("crictl", True))

    def test_apart(self) -> None:
        """The same name in two registries is two things, as are its tags."""
        self.misses.add(wanted("a"), NODE, HERE)
        self.misses.add(wanted("a", namespace="quay.io"), NODE, HERE)
        self.misses.add(wanted("a", "2"), NODE, HERE)
        self.assertEqual(len(self.misses), 3)

    def test_order(self) -> None:
        """The most wanted stands first, and of equals the latest."""
        for name in ("often", "early", "often", "late"):
            self.clock.advance(1)
            self.misses.add(wanted(name), NODE, HERE)
        self.assertEqual(self.names(), ["often", "late", "early"])

    def test_manifest_asked_for_as_blob(self) -> None:
        """Containerd asks for a manifest a second way: that is no second miss."""
        self.misses.add(NotFoundContent("", "a", DIGEST, is_blob=False), NODE, HERE)
        self.misses.add(NotFoundContent("", "a", DIGEST, is_blob=True), NODE, HERE)
        [miss] = self.misses.list()
        self.assertEqual((miss.wanted.is_blob, miss.count), (False, 1))

    def test_long_user_agent(self) -> None:
        """Of a client's name, the beginning is kept."""
        self.misses.add(wanted("a"), "x" * 100_000, HERE)
        [miss] = self.misses.list()
        self.assertEqual(miss.user_agent, "x" * 120)

    def test_occasions(self) -> None:
        """HEAD and GET are one attempt; a later one counts, and so does another machine's."""
        for seconds, address, occasions in (
            (0, HERE, 1),
            (1, HERE, 1),
            (AGAIN, HERE, 2),
            (1, HERE, 2),
            (1, "192.0.2.1", 2),
            (AGAIN, "192.0.2.1", 3),
        ):
            self.clock.advance(seconds)
            self.misses.add(wanted("a"), NODE, address)
            self.assertEqual(self.misses.list()[0].occasions, occasions)
        self.misses.add(wanted("b"), NODE, HERE)
        self.misses.add(wanted("b"), NODE, "192.0.2.1")
        self.assertEqual([miss.occasions for miss in self.misses.list()], [3, 2])

    def test_clients(self) -> None:
        """An address is a client; of IPv6, a whole network is, and what is none stays itself."""
        for address, client in {
            "192.0.2.1": "192.0.2.1",
            "2001:db8::1:2:3:4": "2001:db8::/64",
            "::ffff:192.0.2.1": "::ffff:c000:201",
            "unix": "unix",
        }.items():
            self.assertEqual(network_of(address), client)
