"""Tests for ``minreg.web.misses``: what is kept of what was missed."""

import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.misses import MOST_BYTES, MOST_ENTRIES, Misses, Wanted

NODE = "containerd/v2.0.4-k3s2"
DIGEST = f"sha256:{'0' * 64}"


def wanted(name: str, reference: str = "1", namespace: str = "docker.io") -> Wanted:
    """Want a manifest."""
    return Wanted(namespace, name, reference, is_blob=False)


class MissesTestCase(SynchronousTestCase):
    """A record with a clock."""

    def setUp(self) -> None:
        """Begin a record."""
        self.clock = Clock()
        self.clock.advance(1000)
        self.misses = Misses(self.clock.seconds)

    def names(self) -> list[str]:
        """Name the repositories in the record, in order."""
        return [miss.wanted.repository for miss in self.misses.list()]

    def flood(self, names: int, *, user_agent: str = "scanner", namespace: str = "") -> None:
        """Ask for so many names, once each."""
        for number in range(names):
            self.clock.advance(0.001)
            self.misses.add(wanted(f"random/{number}", namespace=namespace), user_agent)


class RecordTests(MissesTestCase):
    """Tests for what is told of a miss."""

    def test_again(self) -> None:
        """What is missed again has one entry, with both times, and who asked last."""
        self.misses.add(wanted("a"), NODE)
        self.clock.advance(5)
        self.misses.add(wanted("a"), "crictl")
        [miss] = self.misses.list()
        self.assertEqual((miss.first, miss.last, miss.count), (1000, 1005, 2))
        self.assertEqual((miss.user_agent, miss.is_of_a_node), ("crictl", True))

    def test_apart(self) -> None:
        """The same name in two registries is two things, as are its tags."""
        self.misses.add(wanted("a"), NODE)
        self.misses.add(wanted("a", namespace="quay.io"), NODE)
        self.misses.add(wanted("a", "2"), NODE)
        self.assertEqual(len(self.misses), 3)

    def test_order(self) -> None:
        """The most wanted stands first, and of equals the latest."""
        for name in ("often", "early", "often", "late"):
            self.clock.advance(1)
            self.misses.add(wanted(name), NODE)
        self.assertEqual(self.names(), ["often", "late", "early"])

    def test_manifest_asked_for_as_blob(self) -> None:
        """Containerd asks for a manifest a second way: that is no second miss."""
        self.misses.add(Wanted("", "a", DIGEST, is_blob=False), NODE)
        self.misses.add(Wanted("", "a", DIGEST, is_blob=True), NODE)
        [miss] = self.misses.list()
        self.assertEqual((miss.wanted.is_blob, miss.count), (False, 1))

    def test_long_user_agent(self) -> None:
        """Of a client's name, the beginning is kept."""
        self.misses.add(wanted("a"), "x" * 100_000)
        [miss] = self.misses.list()
        self.assertEqual(miss.user_agent, "x" * 120)


class FloodTests(MissesTestCase):
    """Tests for names that nobody needs."""

    def assert_small(self) -> None:
        """The record keeps to its bounds."""
        self.assertLessEqual(len(self.misses), MOST_ENTRIES)
        self.assertLessEqual(sum(miss.bytes for miss in self.misses.list()), MOST_BYTES)

    def test_asked_before(self) -> None:
        """What nodes asked for, be it once, stays while thousands of names pass."""
        self.misses.add(wanted("pause"), NODE)
        self.misses.add(wanted("coredns", namespace=""), "skopeo")
        self.misses.add(wanted("coredns", namespace=""), "skopeo")
        self.flood(20_000)
        self.assertEqual(set(self.names()[:2]), {"pause", "coredns"})
        self.assertGreater(self.misses.dropped, 19_000)
        self.assert_small()

    def test_asked_meanwhile(self) -> None:
        """What is asked for again comes to stand above a flood that feigns to be a node."""
        for _ in range(5):
            self.flood(3000, user_agent=NODE, namespace="docker.io")
            self.misses.add(wanted("pause"), NODE)
        self.assertEqual(self.names()[0], "pause")
        self.assert_small()

    def test_full_of_heavy_names(self) -> None:
        """A record full of names that were asked for often still takes new ones."""
        for _ in range(30):
            self.flood(MOST_ENTRIES, user_agent=NODE, namespace="docker.io")
        self.misses.add(wanted("pause", namespace=""), "-")
        self.assertIn("pause", self.names())
        self.assert_small()

    def test_large_names(self) -> None:
        """Long names fill the record before it has many."""
        for number in range(2000):
            self.misses.add(wanted("a" * 255, f"{number:0>128}", "h" * 255), "é" * 1000)
        self.assertLess(len(self.misses), MOST_ENTRIES)
        self.assert_small()

    def test_memory(self) -> None:
        """The table of what was seen has one size for ever."""
        before = sys.getsizeof(self.misses._seen)
        self.flood(5000)
        self.assertEqual(sys.getsizeof(self.misses._seen), before)

    @given(st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=80))
    def test_any_order(self, asked: list[tuple[int, bool]]) -> None:
        """In whatever order names come, the record is whole and keeps its bounds."""
        misses = Misses(lambda: 0.0, most_entries=5, most_bytes=400)
        for number, is_node in asked:
            misses.add(wanted(f"a{number}"), NODE if is_node else "x")
        kept = misses.list()
        self.assertEqual(len(kept), len({miss.wanted for miss in kept}))
        self.assertEqual(len(kept), len(misses))
        self.assertLessEqual(len(kept), 5)
        self.assertEqual(misses._bytes, sum(miss.bytes for miss in kept))
        if asked:
            self.assertIn(f"a{asked[-1][0]}", [miss.wanted.repository for miss in kept])
