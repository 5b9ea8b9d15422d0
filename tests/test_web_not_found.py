"""Tests for the not-found log: ``minreg.web.status.not_found``, and ``/minreg/missing``."""

from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from minreg.log import RequestRecord
from minreg.oci.names import Digest, parse_references
from minreg.store.tree import RegistryTree
from minreg.web.status import resources as status
from minreg.web.status.not_found import (
    ATTEMPT_SECONDS,
    MOST_CHARACTERS,
    MOST_ENTRIES,
    NotFoundContent,
    NotFoundLog,
    make_not_found_observer,
)
from tests.status_support import HOSTILE, NODE, StatusTestCase
from tests.support import ALIASES

DIGEST = str(Digest.of(b"absent"))


class NotFoundResourceTests(StatusTestCase):
    """Tests for ``NotFoundResource``."""

    def images(self) -> list[str]:
        """Return the images in the log."""
        return [entry["image"] for entry in self.request("/minreg/missing").json["missing"]]

    def lines(self) -> list[str]:
        """Return the lines of the list."""
        return self.request("/minreg/missing?format=list").body.decode().splitlines()

    def test_nothing(self) -> None:
        """At first, the log is empty."""
        self.assertEqual(self.request("/minreg/missing").json, {"missing": [], "dropped": 0})
        self.assertEqual(self.lines(), [])

    def test_json(self) -> None:
        """An entry has all fields."""
        self.request("/v2/rancher/pause/manifests/3.7?ns=quay.io", "HEAD", NODE)
        self.request("/v2/rancher/pause/manifests/3.7?ns=quay.io", headers=NODE)
        response = self.request("/minreg/missing")
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("cache-control"), "no-store")
        [entry] = response.json["missing"]
        self.assertRegex(entry.pop("first"), r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(entry.pop("last"), r"Z$")
        self.assertEqual(
            entry,
            {
                "namespace": "quay.io",
                "repository": "rancher/pause",
                "reference": "3.7",
                "kind": "manifest",
                "image": "quay.io/rancher/pause:3.7",
                "count": 2,
                "attempts": 1,
                "user_agent": "containerd/v2.0.4-k3s2",
            },
        )

    def test_names(self) -> None:
        """An image has its name at the upstream registry, however it was requested."""
        for path, image in {
            f"/v2/a/b/manifests/{DIGEST}?ns=ghcr.io": f"ghcr.io/a/b@{DIGEST}",
            "/v2/busybox/manifests/1": "docker.io/library/busybox:1",
            "/v2/c/manifests/v1+k3s1?ns=bootstrap-registry.airgap": "docker.io/library/c:v1-k3s1",
            "/v2/quay.io/d/manifests/1": "quay.io/d:1",
            "/v2/quay.io/e/manifests/1?ns=bootstrap-registry.airgap": "quay.io/e:1",
            "/v2/quay.io/f/manifests/1?ns=ghcr.io": "ghcr.io/quay.io/f:1",
            "/v2/g%2Fh/manifests/1?ns=localhost:5000": "localhost:5000/g/h:1",
            "/v2/i/%6danifests/1?ns=quay.io": "quay.io/i:1",
            "http://127.0.0.1:9080/v2/j/k/manifests/1?ns=quay.io": "quay.io/j/k:1",
        }.items():
            self.request(path, headers=NODE)
            self.assertIn(image, self.images(), path)

    def test_not_in_log(self) -> None:
        """Requests for existing content, invalid names and other paths are not in the log."""
        self.tree.add_image("a", "1")
        for path in (
            "/v2/a/manifests/1",
            "/v2/a/manifests/.1",
            "/v2/A/manifests/1",
            "/v2/a/blobs/sha256:0",
            "/v2/b/tags/list",
            f"/v2/a/referrers/{DIGEST}",
            "/v2/b/manifests/1?ns=a%20b",
            "/favicon.ico",
        ):
            self.request(path, headers=NODE)
        self.assertEqual(self.images(), [])

    def test_list(self) -> None:
        """``minreg download -f -`` can read the list; what it cannot download is a comment."""
        self.request("/v2/pause/manifests/3.7?ns=quay.io", headers=NODE)
        self.request(f"/v2/pause/blobs/{DIGEST}?ns=quay.io", headers={"User-Agent": "a\tb#\xff"})
        self.request("/v2/pause/manifests/1?ns=unknown", headers={"User-Agent": "x"})
        lines = self.lines()
        self.assertEqual(len(lines), 3)
        [image] = parse_references(lines, "-")
        self.assertEqual(str(image), "quay.io/pause:3.7")
        text = "\n".join(lines)
        self.assertRegex(
            text,
            r"(?m)^quay.io/pause:3.7  # 1 time, last 20\S+Z, by containerd/v2.0.4-k3s2$",
        )
        self.assertIn(f"# blob: quay.io pause@{DIGEST}  # 1 time", text)
        self.assertIn("# unknown registry: unknown pause:1  # 1 time", text)

    def test_guesses(self) -> None:
        """A name without a registry is a comment until the second attempt."""
        self.patch(status, "time", self.clock.seconds)
        self.serve(RegistryTree(self.root, ALIASES))
        path = "/v2/random/name/manifests/1"
        for seconds in (0, ATTEMPT_SECONDS / 2):
            self.clock.advance(seconds)
            self.request(path)
            [line] = self.lines()
            self.assertTrue(
                line.startswith("# no registry named, perhaps: docker.io/random/name:1  # "),
                line,
            )
        self.clock.advance(ATTEMPT_SECONDS)
        self.request(path)
        [line] = self.lines()
        self.assertTrue(line.startswith("docker.io/random/name:1  # 3 times"), line)

    def test_formats(self) -> None:
        """The query selects the format, or else ``Accept``."""
        plain = "text/plain; charset=utf-8"
        for path, accept, media_type in (
            ("", "*/*", "application/json"),
            ("", "text/plain", plain),
            ("?format=json", "text/plain", "application/json"),
            ("?format=list", "application/json", plain),
        ):
            response = self.request(f"/minreg/missing{path}", headers={"Accept": accept})
            self.assertEqual(response.header("content-type"), media_type)
        self.assertEqual(self.request("/minreg/missing?format=xml").code, 400)

    def test_huge(self) -> None:
        """A request that is too large is not in the log."""
        for path, agent in (
            ("/v2/a/manifests/1", "x" * 100_000),
            (f"/v2/{'a' * 100_000}/manifests/1", "-"),
        ):
            response = self.request(path, headers={"User-Agent": agent})
            self.assertIn(response.code, (414, 431))
        self.assertEqual(self.images(), [])

    def test_hostile(self) -> None:
        """Invalid names are not in the log; a user agent is escaped and cut."""
        for text in HOSTILE:
            agent = text.encode().decode("latin-1").replace("\x00", "").replace("\n", "")
            self.request(f"/v2/{quote(text)}/manifests/{quote(text)}?ns=docker.io")
            self.request("/v2/real/manifests/1?ns=quay.io", headers={"User-Agent": agent})
        [entry] = self.request("/minreg/missing").json["missing"]
        self.assertEqual(entry["repository"], "real")
        self.assertLessEqual(len(entry["user_agent"]), 120)
        for line in self.lines():
            self.assertTrue(line.isprintable(), line)
            self.assertEqual(len(parse_references([line], "-")), 1)


LOG_NODE = "containerd/v2.0.4-k3s2"
CLIENT = "127.0.0.1"
LOG_DIGEST = f"sha256:{'0' * 64}"

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
        self.log.add(content_of("a"), LOG_NODE, CLIENT)
        self.clock.advance(5)
        self.log.add(content_of("a"), "crictl", CLIENT)
        [entry] = self.log.list()
        self.assertEqual((entry.first, entry.last, entry.count), (1000, 1005, 2))
        self.assertEqual((entry.user_agent, entry.client), ("crictl", CLIENT))

    def test_distinct_content(self) -> None:
        """The same name in another registry, or with another tag, has its own entry."""
        self.log.add(content_of("a"), LOG_NODE, CLIENT)
        self.log.add(content_of("a", registry="quay.io"), LOG_NODE, CLIENT)
        self.log.add(content_of("a", "2"), LOG_NODE, CLIENT)
        self.assertEqual(len(self.log), 3)

    def test_order(self) -> None:
        """Entries with more attempts, then with more requests, then the latest come first."""
        self.log.add(content_of("retried"), LOG_NODE, CLIENT)
        self.clock.advance(ATTEMPT_SECONDS)
        for name in ("retried", "often", "early", "often", "often", "late"):
            self.clock.advance(1)
            self.log.add(content_of(name), LOG_NODE, CLIENT)
        self.assertEqual(self.names(), ["retried", "often", "late", "early"])

    def test_manifest_requested_as_blob(self) -> None:
        """A blob request for a digest that was not found as a manifest is not a new entry."""
        self.log.add(NotFoundContent("", "a", LOG_DIGEST, is_blob=False), LOG_NODE, CLIENT)
        self.log.add(NotFoundContent("", "a", LOG_DIGEST, is_blob=True), LOG_NODE, CLIENT)
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
            self.log.add(content_of("a"), LOG_NODE, client)
            self.assertEqual(self.log.list()[0].attempts, attempts)
        self.log.add(content_of("b"), LOG_NODE, CLIENT)
        self.log.add(content_of("b"), LOG_NODE, "192.0.2.1")
        self.assertEqual([entry.attempts for entry in self.log.list()], [3, 2])

    def test_observer(self) -> None:
        """A record that stands for several requests adds all of them."""
        observe = make_not_found_observer(self.log)
        for code in (200, 404):
            observe(RequestRecord(CLIENT, "GET", "/v2/a/manifests/1", status=code), 3)
        [entry] = self.log.list()
        self.assertEqual((entry.content.repository, entry.count, entry.attempts), ("a", 3, 1))


class SizeTests(NotFoundLogTestCase):
    """Tests for the limits of the log."""

    def test_least_recently_requested(self) -> None:
        """A full log drops the entry whose last request is the oldest."""
        self.log = NotFoundLog(self.clock.seconds, most_entries=3)
        for name in ("a", "b", "c", "a", "d"):
            self.log.add(content_of(name), LOG_NODE, CLIENT)
        self.assertEqual(set(self.names()), {"a", "c", "d"})
        self.assertEqual(self.log.dropped, 1)

    def test_dropped_entry(self) -> None:
        """A name that was dropped and is requested again starts with one request."""
        self.log = NotFoundLog(self.clock.seconds, most_entries=1)
        for name in ("a", "a", "b", "a"):
            self.log.add(content_of(name), LOG_NODE, CLIENT)
        [entry] = self.log.list()
        self.assertEqual((entry.content.repository, entry.count), ("a", 1))

    def test_many_names(self) -> None:
        """The log has at most 512 entries."""
        for number in range(2000):
            self.log.add(content_of(f"random/{number}"), LOG_NODE, CLIENT)
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
