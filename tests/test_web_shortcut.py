"""Tests for ``minreg.web.connection.shortcut``: when the short way is taken."""

import os
import shutil
from collections.abc import Callable

from minreg.names import Digest
from minreg.store.tree import RegistryTree
from minreg.web.connection.shortcut import Shortcut
from tests.shortcuts import BLOB, LAYER, TAG, ShortcutTestCase, said
from tests.store_support import last_change
from tests.support import ALIASES, Response, write_request
from tests.transports import CLIENT


class WatchedTestCase(ShortcutTestCase):
    """A client, and a watch over how it is answered."""

    def setUp(self) -> None:
        """Connect a client, and watch how it is answered."""
        super().setUp()
        self.ordinary = self.watch()
        self.client = self.connect()

    def ask(self, path: str = TAG, method: str = "GET", **headers: str) -> tuple[Response, bool]:
        """Ask; return the answer, and whether it was found the ordinary way."""
        before = len(self.ordinary)
        response = self.client.request(path, method, headers)
        return response, len(self.ordinary) > before


class RepeatedTests(WatchedTestCase):
    """Tests for when the short way is taken."""

    def test_second_time(self) -> None:
        """What was answered once is answered again the short way, and logged alike."""
        for path in (
            TAG,
            BLOB,
            f"/v2/rancher/pause/manifests/{self.digest}",
            TAG + "?ns=docker.io",
        ):
            for method in ("GET", "HEAD"):
                first, ordinary = self.ask(path, method)
                self.assertTrue(ordinary)
                self.assertEqual(self.ask(path, method), (first, False))
                first_line, second_line = map(said, self.logged("request")[-2:])
                self.assertEqual(first_line, second_line)

    def test_other_client(self) -> None:
        """It does not matter who asked first; the log has who asks now."""
        self.ask()
        self.client = self.connect()
        self.assertFalse(self.ask()[1])
        self.assertEqual(self.logged("request")[-1]["client"], CLIENT.host)

    def test_unusual(self) -> None:
        """Conditions, ranges and ends of connections are for the ordinary way."""
        for name, value in (("if-none-match", "x"), ("range", "bytes=0-"), ("expect", "x")):
            self.ask(**{name: value})
            self.assertTrue(self.ask(**{name: value})[1], name)

    def test_last(self) -> None:
        """The last answer before the registry stops closes its connection, as any other way."""
        self.ask()
        self.client.leave()
        self.client = self.connect()
        stopped = self.site.drain(30)
        response, _ = self.ask()
        self.assertEqual((response.code, response.header("connection")), (200, "close"))
        self.assertTrue(self.client.is_closed)
        self.successResultOf(stopped)

    def test_in_pieces(self) -> None:
        """A request that comes in pieces, or with others, is for the ordinary way."""
        asked = write_request(TAG)
        self.ask()
        before = len(self.ordinary)
        self.client.send(asked[:9])
        self.client.send(asked[9:])
        self.client.send(asked + asked)
        self.assertEqual(len(self.ordinary), before + 3)
        answers = self.client.received().split(b"HTTP/1.1 200 OK")
        self.assertEqual(len(set(answers)), 2)
        self.assertEqual(len(answers), 4)

    def test_after_a_while(self) -> None:
        """What nobody asked for lately is ordinary up in a thread: the kernel may ask the disk."""
        self.ask()
        self.clock.advance(9)
        self.assertFalse(self.ask()[1])
        self.clock.advance(9)
        self.assertFalse(self.ask()[1])
        self.clock.advance(11)
        self.assertTrue(self.ask()[1])
        self.assertFalse(self.ask()[1])

    def test_just_written(self) -> None:
        """A file that has just changed may change once more unnoticed: it is not trusted."""
        changed = last_change(self.root)
        self.site = self.make_site(RegistryTree(self.root, ALIASES, now=lambda: changed))
        self.client = self.connect()
        self.ask()
        self.assertEqual(self.site.shortcut.find(write_request(TAG), CLIENT), None)

    def test_reads_nothing(self) -> None:
        """Answers do not pile up for a client that takes none."""
        self.ask()
        client = self.connect(reads=False)
        for _ in range(1000):
            client.send(write_request(TAG))
        self.assertLess(len(client.transport.waiting), 70_000)

    def test_bounded(self) -> None:
        """Answers are forgotten when others take their room."""
        self.site.shortcut = Shortcut(self.clock, self.site.shortcut._log, capacity=8000)
        self.ask()
        self.assertFalse(self.ask()[1])
        self.ask(BLOB)
        self.assertTrue(self.ask()[1])


class ChangedTests(WatchedTestCase):
    """Tests for content that changes between two equal requests."""

    def assert_changes(self, change: Callable[[], object], status: int, path: str = TAG) -> None:
        """Ask twice with a change in between, and once more; the last answer is the true one."""
        first, _ = self.ask(path)
        self.assertEqual((first.code, self.ask(path)[1]), (200, False))
        change()
        second, ordinary = self.ask(path)
        self.assertEqual((second.code, ordinary), (status, True))
        self.assertNotEqual(second, first)
        self.assertEqual(self.ask(path)[0], second)

    def test_tag_moves(self) -> None:
        """A tag that is linked to another manifest answers with that one."""
        tag = self.tree.path("rancher/pause/manifests/3.6")
        other = self.tree.add_image("rancher/pause", None, b"other")
        self.assert_changes(lambda: relink(tag, str(other)), 200)

    def test_link_leads_out(self) -> None:
        """A tag that is linked to a file outside of the root is refused, as it always is."""
        tag = self.tree.path("rancher/pause/manifests/3.6")
        outside = os.path.abspath(self.mktemp())
        shutil.copy(self.tree.path(f"rancher/pause/manifests/{self.digest}"), outside)
        self.assert_changes(lambda: relink(tag, outside), 404)

    def test_other_repository_comes_first(self) -> None:
        """A repository that the lookup prefers takes over as soon as it is there."""
        self.assert_changes(
            lambda: self.tree.add_image("docker.io/rancher/pause", "3.6", b"new"),
            200,
            TAG + "?ns=docker.io",
        )

    def test_blob_is_cut_short(self) -> None:
        """A blob that is cut short is not there any more."""
        blob = self.tree.path("blobs", str(Digest.of(LAYER)))
        self.assert_changes(lambda: os.truncate(blob, 3), 404, BLOB)

    def test_blob_goes(self) -> None:
        """A blob that is removed is not there any more."""
        blob = self.tree.path("blobs", str(Digest.of(LAYER)))
        self.assert_changes(lambda: os.remove(blob), 404, BLOB)

    def test_other_manifest_says_otherwise(self) -> None:
        """A blob whose size a new manifest contradicts is still the one that others mean."""
        image = self.tree.image(LAYER)
        image["layers"] = [{**image["layers"][0], "size": 99}]
        self.ask(BLOB)
        self.tree.add_manifest("rancher/pause", image)
        self.assertTrue(self.ask(BLOB)[1])

    def test_root_goes(self) -> None:
        """A root that is gone is an error, whatever was answered before."""
        self.assert_changes(lambda: os.rename(self.root, self.root + "-away"), 503)


def relink(path: str, target: str) -> None:
    """Have a link lead elsewhere."""
    os.remove(path)
    os.symlink(target, path)
