"""Tests for ``minreg.web.status.not_found``: the not-found log."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.log import RequestRecord
from minreg.web.status.not_found import (
    ATTEMPT_SECONDS,
    MOST_CHARACTERS,
    MOST_ENTRIES,
    NotFoundContent,
    NotFoundLog,
    make_not_found_observer,
)

NODE = "containerd/v2.0.4-k3s2"
CLIENT = "127.0.0.1"
DIGEST = f"sha256:{'0' * 64}"

requests = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 60)), max_size=100)


def content_of(name: str, reference: str = "1", registry: str = "docker.io") -> NotFoundContent:
    """Return the name of a manifest."""
    return NotFoundContent(registry, name, reference, is_blob=False)


class NotFoundLogTestCase(SynchronousTestCase):
    """A not-found log with a clock."""

    def setUp(self) -> None:
        """Create an empty log."""
        self.clock = Clock()
        self.clock.advance(1000)
        self.log = NotFoundLog(self.clock.seconds)

    def names(self) -> list[str]:
        """Return the repositories in the log, in order."""
        return [entry.content.repository for entry in self.log.list()]


class EntryTests(NotFoundLogTestCase):
    """Tests for the entries."""

    def test_second_request(self) -> None:
        """A second request changes the last time, the count and the user agent of the entry."""
        self.log.add(content_of("a"), NODE, CLIENT)
        self.clock.advance(5)
        self.log.add(content_of("a"), "crictl", CLIENT)
        [entry] = self.log.list()
        self.assertEqual((entry.first, entry.last, entry.count), (1000, 1005, 2))
        self.assertEqual((entry.user_agent, entry.client), ("crictl", CLIENT))

    def test_distinct_content(self) -> None:
        """The same name in another registry, or with another tag, has its own entry."""
        self.log.add(content_of("a"), NODE, CLIENT)
        self.log.add(content_of("a", registry="quay.io"), NODE, CLIENT)
        self.log.add(content_of("a", "2"), NODE, CLIENT)
        self.assertEqual(len(self.log), 3)

    def test_order(self) -> None:
        """Entries with more attempts, then with more requests, then the latest come first."""
        self.log.add(content_of("retried"), NODE, CLIENT)
        self.clock.advance(ATTEMPT_SECONDS)
        for name in ("retried", "often", "early", "often", "often", "late"):
            self.clock.advance(1)
            self.log.add(content_of(name), NODE, CLIENT)
        self.assertEqual(self.names(), ["retried", "often", "late", "early"])

    def test_manifest_requested_as_blob(self) -> None:
        """A blob request for a digest that was not found as a manifest is not a new entry."""
        self.log.add(NotFoundContent("", "a", DIGEST, is_blob=False), NODE, CLIENT)
        self.log.add(NotFoundContent("", "a", DIGEST, is_blob=True), NODE, CLIENT)
        [entry] = self.log.list()
        self.assertEqual((entry.content.is_blob, entry.count), (False, 1))

    def test_long_user_agent(self) -> None:
        """The first 120 characters of a user agent are kept."""
        self.log.add(content_of("a"), "x" * 100_000, CLIENT)
        [entry] = self.log.list()
        self.assertEqual(entry.user_agent, "x" * 120)

    def test_attempts(self) -> None:
        """Requests within eight seconds are one attempt; a second client's first is another."""
        for seconds, client, attempts in (
            (0, CLIENT, 1),
            (7.9, CLIENT, 1),
            (8, CLIENT, 2),
            (1, CLIENT, 2),
            (1, "192.0.2.1", 2),
            (8, "192.0.2.1", 3),
        ):
            self.clock.advance(seconds)
            self.log.add(content_of("a"), NODE, client)
            self.assertEqual(self.log.list()[0].attempts, attempts)
        self.log.add(content_of("b"), NODE, CLIENT)
        self.log.add(content_of("b"), NODE, "192.0.2.1")
        self.assertEqual([entry.attempts for entry in self.log.list()], [3, 2])

    def test_observer(self) -> None:
        """A record that stands for several requests adds all of them."""
        observe = make_not_found_observer(self.log)
        for status in (200, 404):
            observe(RequestRecord(CLIENT, "GET", "/v2/a/manifests/1", status=status), 3)
        [entry] = self.log.list()
        self.assertEqual((entry.content.repository, entry.count, entry.attempts), ("a", 3, 1))


class SizeTests(NotFoundLogTestCase):
    """Tests for the limits of the log."""

    def test_least_recently_requested(self) -> None:
        """A full log drops the entry whose last request is the oldest."""
        self.log = NotFoundLog(self.clock.seconds, most_entries=3)
        for name in ("a", "b", "c", "a", "d"):
            self.log.add(content_of(name), NODE, CLIENT)
        self.assertEqual(set(self.names()), {"a", "c", "d"})
        self.assertEqual(self.log.dropped, 1)

    def test_dropped_entry(self) -> None:
        """A name that was dropped and is requested again starts with one request."""
        self.log = NotFoundLog(self.clock.seconds, most_entries=1)
        for name in ("a", "a", "b", "a"):
            self.log.add(content_of(name), NODE, CLIENT)
        [entry] = self.log.list()
        self.assertEqual((entry.content.repository, entry.count), ("a", 1))

    def test_many_names(self) -> None:
        """The log has at most 512 entries."""
        for number in range(2000):
            self.log.add(content_of(f"random/{number}"), NODE, CLIENT)
        self.assertEqual((len(self.log), MOST_ENTRIES), (512, 512))
        self.assertEqual(self.log.dropped, 2000 - 512)

    def test_long_names(self) -> None:
        """Long names fill the log before it has 512 entries."""
        for number in range(2000):
            self.log.add(content_of("a" * 255, f"{number:0>128}", "h" * 255), "é" * 1000, CLIENT)
        self.assertLess(len(self.log), MOST_ENTRIES)
        characters = sum(entry.characters for entry in self.log.list())
        self.assertLessEqual(characters, MOST_CHARACTERS)
        self.assertGreater(characters, MOST_CHARACTERS - 1000)

    def test_longer_than_the_log(self) -> None:
        """An entry that is longer than the limit is kept alone until the next one."""
        self.log = NotFoundLog(self.clock.seconds, most_characters=20)
        for name in ("a" * 200, "b" * 200, "b" * 200, "c"):
            self.log.add(content_of(name), "", CLIENT)
            self.assertEqual(self.names(), [name])

    @settings(deadline=None)
    @given(requests)
    def test_any_requests(self, added: list[tuple[int, int]]) -> None:
        """Whatever is requested, the log keeps its limits and has the latest names."""
        log = NotFoundLog(lambda: 0.0, most_entries=5, most_characters=100)
        latest: list[NotFoundContent] = []
        for number, length in added:
            content = content_of(f"a{number}")
            latest = [*(name for name in latest if name != content), content]
            log.add(content, "x" * length, CLIENT)
            entries = log.list()
            self.assertLessEqual(len(entries), 5)
            if len(entries) > 1:
                self.assertLessEqual(sum(entry.characters for entry in entries), 100)
            self.assertEqual({entry.content for entry in entries}, set(latest[-len(entries) :]))
