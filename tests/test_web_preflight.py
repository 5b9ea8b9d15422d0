"""Tests for ``/minreg/preflight``."""

import os
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.oci.errors import RegistryError
from minreg.oci.names import parse_references
from minreg.preflight import query
from minreg.store.tree import RegistryTree
from minreg.web.status.preflight import parse_query_string
from tests.preflight_support import AMD64, IMAGES, VERSION, ReleaseTree
from tests.status_support import HOSTILE, StatusTestCase
from tests.stores import ManualThreads
from tests.support import ALIASES, Connection, parse_response, write_request

ASKED = f"/minreg/preflight?k3s={quote(VERSION)}&platform=linux/amd64"


class PreflightTestCase(StatusTestCase):
    """A registry over a tree with a release."""

    def setUp(self) -> None:
        """Add a release to the tree."""
        super().setUp()
        os.rmdir(self.tree.path("blobs"))
        os.rmdir(self.root)
        self.release = ReleaseTree(self.root)
        self.children = self.release.add_release()


class PreflightTests(PreflightTestCase):
    """Tests for ``PreflightResource``."""

    def test_ready(self) -> None:
        """A complete release is a 200, which must not be cached."""
        response = self.request(ASKED)
        self.assertEqual(response.code, 200)
        self.assertEqual(response.header("cache-control"), "no-store")
        self.assertEqual(
            response.json,
            {
                "k3s": VERSION,
                "ready": True,
                "platforms": ["linux/amd64"],
                "images": len(IMAGES),
                "findings": [],
                "more": 0,
            },
        )

    def test_not_ready(self) -> None:
        """An image that is incomplete is a 409 with a finding."""
        self.release.truncate(self.children["klipper-lb:v0.4.13"].layer)
        response = self.request(ASKED)
        self.assertEqual((response.code, response.json["ready"]), (409, False))
        [finding] = response.json["findings"]
        self.assertEqual(finding["image"], "docker.io/rancher/klipper-lb:v0.4.13")
        self.assertIn("has 3 bytes, and should have", finding["problem"])
        [logged] = self.logged("request")
        self.assertEqual(logged["failure"], "1 of 8 images not ready for linux/amd64")

    def test_list(self) -> None:
        """``minreg download`` can read the list."""
        self.release.remove_tag("rancher/mirrored-pause:3.6")
        for path, headers in ((f"{ASKED}&format=list", {}), (ASKED, {"Accept": "text/plain"})):
            response = self.request(path, headers=headers)
            self.assertEqual(response.code, 409)
            self.assertEqual(response.header("content-type"), "text/plain; charset=utf-8")
            lines = response.body.decode().splitlines()
            self.assertEqual(lines[0], "# 1 of 8 images not ready for linux/amd64")
            [image] = parse_references(lines, "-")
            self.assertEqual(str(image), "docker.io/rancher/mirrored-pause:3.6")

    def test_head(self) -> None:
        """HEAD has the same status."""
        self.assertEqual(self.request(ASKED, "HEAD").code, 200)
        self.release.remove_tag("rancher/mirrored-pause:3.6")
        response = self.request(ASKED, "HEAD")
        self.assertEqual((response.code, response.body), (409, b""))

    def test_spellings(self) -> None:
        """A release may be written as a version or as a tag."""
        for release in ("v1.33.4+k3s1", "v1.33.4%2Bk3s1", "v1.33.4-k3s1"):
            response = self.request(f"/minreg/preflight?k3s={release}&platform=linux/amd64")
            self.assertEqual(response.code, 200, release)

    def test_platforms(self) -> None:
        """Each platform is checked; without a parameter, it is this machine's."""
        response = self.request(f"{ASKED}&platform=linux/arm64")
        self.assertEqual(response.code, 409)
        self.assertEqual(
            {finding["platform"] for finding in response.json["findings"]}, {"linux/arm64"}
        )
        self.patch(query, "local_platform", lambda: AMD64)
        self.assertEqual(self.request(f"/minreg/preflight?k3s={VERSION}").code, 200)

    def test_disable(self) -> None:
        """Images of disabled components are not needed."""
        self.release.remove_tag("rancher/mirrored-library-traefik:3.3.6")
        self.release.remove_tag("rancher/klipper-lb:v0.4.13")
        for words, code in {
            "": 409,
            "&disable=traefik": 409,
            "&disable=traefik,servicelb": 200,
            "&disable=traefik&disable=servicelb": 200,
        }.items():
            self.assertEqual(self.request(f"{ASKED}{words}").code, code, words)

    def test_upgrade_left_out(self) -> None:
        """Parameters of an upgrade are refused without one."""
        for word in ("controller=a/b:1", "kubectl=a/b:1"):
            self.assertEqual(self.request(f"{ASKED}&{word}").code, 400)

    def test_upgrade(self) -> None:
        """The images of the upgrade itself can be required, in given versions."""
        self.assertEqual(self.request(f"{ASKED}&upgrade=no").code, 200)
        for words in ("&upgrade", "&upgrade=true"):
            response = self.request(f"{ASKED}{words}&kubectl=rancher/kubectl:v1.33.4")
            self.assertEqual(
                [finding["image"] for finding in response.json["findings"]],
                [
                    "docker.io/rancher/k3s-upgrade:v1.33.4-k3s1",
                    "docker.io/rancher/system-upgrade-controller:v0.20.1",
                    "docker.io/rancher/kubectl:v1.33.4",
                ],
            )

    def test_system_default_registry(self) -> None:
        """Images are looked up as K3s requests them with ``system-default-registry``."""
        for registry in ("bootstrap-registry.airgap", "registry.example:5000", ""):
            response = self.request(f"{ASKED}&system-default-registry={registry}")
            self.assertEqual(response.code, 200, registry)

    def test_unknown_release(self) -> None:
        """An unknown release is a 404 that lists the known ones."""
        for release in ("v9.9.9+k3s1", "stable", "..%2Fx"):
            response = self.request(f"/minreg/preflight?k3s={release}")
            self.assertEqual((response.code, response.error_code), (404, "UNSUPPORTED"))
            self.assertIn(f"it has those of {VERSION}", response.body.decode())

    def test_cannot_check(self) -> None:
        """If the images cannot be determined, the status is 503."""
        self.release.write(b"<html>", "k3s", f"{VERSION}.txt")
        self.assertEqual(self.request(ASKED).code, 503)
        os.rename(self.root, f"{self.root}.gone")
        response = self.request(ASKED)
        self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))

    def test_hostile(self) -> None:
        """Hostile values are refused as JSON."""
        for text in HOSTILE:
            for name in ("k3s", "platform", "disable", "upgrade", "kubectl", "x"):
                response = self.request(f"/minreg/preflight?{name}={quote(text)}")
                self.assertIn(response.code, (400, 404, 414), (name, text))
                self.assertEqual(response.header("content-type"), "application/json")
                self.assertLess(len(response.body), 1000)

    def test_writing(self) -> None:
        """POST is refused."""
        self.assertEqual(self.request(ASKED, "POST").code, 405)


class ConcurrencyTests(PreflightTestCase):
    """Tests for concurrent requests, and for a slow disk."""

    def setUp(self) -> None:
        """Queue the calls in threads until a test runs them."""
        super().setUp()
        self.threads = ManualThreads()
        self.serve(RegistryTree(self.root, ALIASES), self.threads)

    def ask(self, path: str = ASKED) -> Connection:
        """Send a request, and do not wait for the response."""
        connection = self.connect()
        connection.send(write_request(path))
        self.addCleanup(self.disconnect, connection)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Disconnect, unless the client has disconnected before."""
        if not connection.is_closed:
            connection.leave()

    def finish(self, connection: Connection) -> int:
        """Run calls until a connection has a response; return its status."""
        while not (received := connection.received()):
            self.threads.run()
            connection.pump()
        return parse_response(received).code

    def test_one_at_a_time(self) -> None:
        """Preflights run one after the other, in one thread."""
        first, second = self.ask(), self.ask()
        self.assertEqual(len(self.threads), 1)
        self.assertEqual(self.finish(first), 200)
        self.assertEqual(self.finish(second), 200)

    def test_pull_in_between(self) -> None:
        """A pull is answered before the next image is checked."""
        preflight = self.ask()
        self.threads.run()
        preflight.pump()
        pull = self.ask("/v2/rancher/mirrored-pause/manifests/3.6")
        self.assertEqual(len(self.threads), 2)
        self.assertEqual(self.finish(pull), 200)
        self.assertEqual(preflight.received(), b"")

    def test_too_many(self) -> None:
        """If too many requests are waiting, the next one is refused."""
        waiting = [self.ask() for _ in range(9)]
        refused = parse_response(self.ask().received())
        self.assertEqual(refused.code, 503)
        self.assertIn("too many preflights are waiting: retry in a minute", refused.body.decode())
        self.assertEqual(self.finish(waiting[0]), 200)
        waiting[0].leave()
        self.assertEqual(self.ask().received(), b"")

    def test_client_left(self) -> None:
        """If a client disconnects, the next request starts."""
        first, second, third = (self.ask() for _ in range(3))
        for connection in (second, first):
            connection.leave()
        self.assertEqual(self.finish(third), 200)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_slow_disk(self) -> None:
        """A disk that does not answer is a 503 after two seconds, and the next request starts."""
        first, second = self.ask(), self.ask()
        self.clock.advance(2)
        first.pump()
        self.assertEqual(parse_response(first.received()).code, 503)
        self.threads.run()
        self.assertEqual(self.finish(second), 200)

    def test_thread_at_work(self) -> None:
        """While a thread runs after its timeout, there is never a second one."""
        first, second, third = (self.ask() for _ in range(3))
        for connection in (first, second):
            self.clock.advance(2)
            connection.pump()
            self.assertEqual(parse_response(connection.received()).code, 503)
            self.assertEqual(len(self.threads), 1)
        self.threads.run()
        self.assertEqual(len(self.threads), 1)
        self.assertEqual(self.finish(third), 200)


class ParseQueryStringTests(SynchronousTestCase):
    """Tests for ``parse_query_string``."""

    def reason(self, query: str) -> str:
        """Return the reason why a query is refused."""
        error = self.assertRaises(RegistryError, parse_query_string, query.encode("latin-1"))
        self.assertEqual((error.status, error.code), (400, "UNSUPPORTED"))
        return str(error.message)

    def test_refused(self) -> None:
        """Anything that may be a mistake is an error."""
        for text, reason in {
            "": "k3s is missing",
            "k3s": "k3s is missing",
            "k3s=a&k3s=b": "k3s is repeated: give it once",
            "k3s=a&platfrom=linux/arm64": "'platfrom' is unknown: use controller, disable, ",
            "k3s=a&deep": "'deep' is unknown: use ",
            "k3s=a&upgrade=maybe": "upgrade is invalid: use yes or no",
            "k3s=a&platform=": "'' is not a platform",
            "k3s=a&upgrade&controller=x/A": "'x/A' is not a repository",
            "k3s=a&kubectl=x/a:1": "controller and kubectl need upgrade=yes",
            "k3s=%ff": "the query is invalid: it must be UTF-8",
            "k3s=\xff": "the query is invalid: it must be UTF-8",
            "k3s=a" + "&disable=x" * 40: "at most 32 parameters",
        }.items():
            self.assertIn(reason, self.reason(text), text)

    @given(st.text(st.characters(max_codepoint=255), max_size=100))
    def test_anything(self, query: str) -> None:
        """Any query is parsed or refused."""
        try:
            parse_query_string(query.encode("latin-1"))
        except RegistryError as error:
            self.assertEqual(error.status, 400)
