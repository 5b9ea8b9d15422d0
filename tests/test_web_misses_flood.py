"""Tests for ``misses`` and ``seen`` of ``minreg.web.status``: names that nobody needs."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.status.not_found import (
    AGAIN,
    MOST_BYTES,
    MOST_ENTRIES,
    AttemptCounter,
    NotFoundContent,
    NotFoundLog,
)
from tests.test_web_misses import HERE, NODE, MissesTestCase, wanted

PLACES = 32

names = st.integers(0, 40)
clients = st.integers(0, 3).map("192.0.2.{}".format)
asked = st.lists(st.tuples(names, clients, st.booleans(), st.sampled_from((0.0, AGAIN))))


class FloodTestCase(MissesTestCase):
    """A record, and ways to fill it."""

    def ask(self, *asked: str, user_agent: str = NODE, address: str = HERE) -> None:
        """Ask for names in a registry."""
        for name in asked:
            self.misses.add(wanted(name), user_agent, address)

    def flood(
        self, count: int, times: int = 1, *, namespace: str = "docker.io", address: str = HERE
    ) -> None:
        """Ask for so many new names, so often each, as a node does, a thousand a second."""
        for _ in range(count):
            self.clock.advance(0.001)
            self.count += 1
            name = wanted(f"random/{self.count}", namespace=namespace)
            for _ in range(times):
                self.misses.add(name, NODE, address)

    count = 0

    def assert_small(self) -> None:
        """The record keeps to its bounds."""
        kept = self.misses.list()
        self.assertLessEqual(len(kept), MOST_ENTRIES)
        self.assertLessEqual(sum(miss.bytes for miss in kept), MOST_BYTES)


class FloodTests(FloodTestCase):
    """Tests for a flood that looks like a node, from one address."""

    def test_asked_first(self) -> None:
        """What was asked for before the flood stays, be it once, however often that asks."""
        self.ask("a", "b", "c")
        self.flood(600)
        self.flood(600, times=6)
        self.flood(20_000)
        self.assertLessEqual({"a", "b", "c"}, set(self.names()))
        self.assertGreater(self.misses.dropped, 19_000)
        self.assert_small()

    def test_asked_meanwhile(self) -> None:
        """What is asked for again some time later stands above all of it."""
        for _ in range(2):
            self.flood(int(AGAIN * 1000) + 1, times=2)
            self.ask("pause")
        self.assertEqual(self.names()[0], "pause")
        self.flood(20_000, times=3)
        self.assertEqual(self.names()[0], "pause")
        self.assert_small()

    def test_asked_at_last(self) -> None:
        """What was asked for last is there in any case."""
        self.flood(3000)
        self.ask("pause")
        self.flood(100)
        self.assertIn("pause", self.names())

    def test_from_elsewhere(self) -> None:
        """What another address asked for stays, be it once, even if the flood is patient."""
        self.ask(*(f"real/{number}" for number in range(100)))
        for _ in range(4):
            for number in range(2 * MOST_ENTRIES):
                self.ask(f"random/{number}", address="192.0.2.9")
            self.clock.advance(AGAIN)
        self.assertEqual(len([name for name in self.names() if name.startswith("real/")]), 100)
        self.assert_small()

    def test_from_many_addresses(self) -> None:
        """What was asked for on two occasions stays, from wherever a flood comes."""
        self.ask("a", "b")
        self.clock.advance(AGAIN)
        self.ask("a", "b")
        for number in range(3000):
            self.flood(1, times=2, address=f"198.51.{number // 250}.{number % 250}")
        self.assertEqual(set(self.names()[:2]), {"a", "b"})

    def test_large_names(self) -> None:
        """Long names fill the record before it has many."""
        for number in range(2000):
            self.misses.add(wanted("a" * 255, f"{number:0>128}", "h" * 255), "é" * 1000, HERE)
        self.assertLess(len(self.misses), MOST_ENTRIES)
        self.assert_small()

    def test_too_large(self) -> None:
        """One that is larger than all room is kept alone, and gives way to the next."""
        self.misses = NotFoundLog(self.clock.seconds, most_entries=2, most_bytes=20)
        for name in ("a" * 200, "b" * 200, "b" * 200, "c"):
            self.ask(name)
            self.assertEqual(self.names(), [name])


class AnyOrderTests(SynchronousTestCase):
    """Tests for whatever is asked, in whatever order."""

    @settings(deadline=None)
    @given(asked)
    def test_whole(self, asked: list[tuple[int, str, bool, float]]) -> None:
        """The record is whole, keeps its bounds, and has what was asked for last."""
        self.time = 0.0
        misses = NotFoundLog(lambda: self.time, most_entries=5, most_bytes=400)
        for number, client, is_node, seconds in asked:
            self.time += seconds
            misses.add(wanted(f"a{number}"), NODE if is_node else "x", client)
            kept = misses.list()
            self.assertEqual(len(kept), len({miss.wanted for miss in kept}))
            self.assertEqual(len(kept), len(misses))
            self.assertLessEqual(len(kept), 5)
            self.assertLessEqual(sum(miss.bytes for miss in kept), 400)
            self.assertEqual(
                misses._sizes.total(), sum(max(miss.bytes, 400 // 5) for miss in kept)
            )
            self.assertIn(wanted(f"a{number}"), [miss.wanted for miss in kept])

    @settings(deadline=None)
    @given(
        real=st.dictionaries(names, clients, min_size=1, max_size=PLACES - 1).filter(
            lambda real: max(Counter(real.values()).values()) < PLACES // 2
        ),
        before=st.lists(clients, max_size=60),
        after=st.lists(st.tuples(clients, st.integers(1, 3)), max_size=150),
    )
    def test_asked_again(
        self, real: dict[int, str], before: list[str], after: list[tuple[str, int]]
    ) -> None:
        """What was asked for on two occasions, no number of names asked for on one pushes out."""
        self.time = 0.0
        misses = NotFoundLog(lambda: self.time, most_entries=PLACES)
        junk = iter(range(10_000))
        for client in before:
            misses.add(wanted(f"random/{next(junk)}"), NODE, client)
        for _ in range(2):
            self.time += AGAIN
            for number, client in real.items():
                misses.add(wanted(f"real/{number}"), "x", client)
        for client, times in after:
            name = wanted(f"random/{next(junk)}")
            for _ in range(times):
                misses.add(name, NODE, client)
        self.assertLessEqual({wanted(f"real/{number}") for number in real}, kept_by(misses))

    @settings(deadline=None)
    @given(
        real=st.dictionaries(names, clients, min_size=1, max_size=PLACES // 2 - 1),
        flood=st.lists(st.tuples(st.integers(0, 60), st.sampled_from((0.0, AGAIN))), max_size=200),
    )
    def test_one_flood(self, real: dict[int, str], flood: list[tuple[int, float]]) -> None:
        """What others asked for, if that is less than half of all, one client never pushes out."""
        self.time = 0.0
        misses = NotFoundLog(lambda: self.time, most_entries=PLACES)
        for number, client in real.items():
            misses.add(wanted(f"real/{number}"), "x", client)
        for number, seconds in flood:
            self.time += seconds
            misses.add(wanted(f"random/{number}"), NODE, "192.0.2.9")
        self.assertLessEqual({wanted(f"real/{number}") for number in real}, kept_by(misses))

    @settings(deadline=None)
    @given(st.integers(1, PLACES // 2), st.integers(0, 300))
    def test_first(self, real: int, flood: int) -> None:
        """Alone, a client's first names stay, up to half of all, whatever it asks for once."""
        misses = NotFoundLog(lambda: 0.0, most_entries=PLACES)
        for number in range(real):
            misses.add(wanted(f"real/{number}"), NODE, HERE)
        for number in range(flood):
            misses.add(wanted(f"random/{number}"), NODE, HERE)
        self.assertLessEqual({wanted(f"real/{number}") for number in range(real)}, kept_by(misses))


class SeenTests(SynchronousTestCase):
    """Tests for ``AttemptCounter``."""

    def test_nothing(self) -> None:
        """What was not seen is not known, and nothing is kept for it."""
        seen = AttemptCounter()
        self.assertIsNone(seen.recall("a"))
        self.assertEqual(len(seen._hashes), 0)

    def test_size(self) -> None:
        """Its size does not grow; what is seen often it knows longest."""
        seen = AttemptCounter()
        seen.keep("often", 3, 7.5)
        size = len(seen._hashes)
        for number in range(4 * size):
            seen.keep(number, 1, float(number))
        self.assertEqual(seen.recall("often"), (3, 7.5))
        self.assertEqual(seen.recall(4 * size - 1), (1, 4 * size - 1.0))
        self.assertIsNone(seen.recall(0))
        self.assertEqual(len(seen._hashes), size)

    def test_again(self) -> None:
        """What is kept again takes no second place."""
        seen = AttemptCounter()
        for occasions in (1, 2, 70_000):
            seen.keep("a", occasions, float(occasions))
        self.assertEqual(seen.recall("a"), (65535, 70_000.0))
        self.assertEqual(len([times for times in seen._occasions if times]), 1)


def kept_by(misses: NotFoundLog) -> set[NotFoundContent]:
    """Name what a record has."""
    return {miss.wanted for miss in misses.list()}
