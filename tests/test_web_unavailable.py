"""Tests for roots and content that do not exist yet, or that the daemon may not read."""

import os

from minreg.oci.names import Digest
from minreg.store.interfaces import StoreUnavailable
from minreg.store.tree import DeferredTree
from tests.status_support import NODE, StatusTestCase
from tests.store_support import deny, without_privileges
from tests.support import Response, WebTestCase

LAYER = b"layer"
PATHS = (
    "/v2/a/manifests/1",
    f"/v2/a/blobs/{Digest.of(LAYER)}",
    "/v2/a/tags/list",
    f"/v2/a/referrers/{Digest.of(LAYER)}",
)


class RightsTests(StatusTestCase):
    """Tests for content that exists but cannot be read: it is not treated as absent."""

    def setUp(self) -> None:
        """Add an image."""
        super().setUp()
        os.chmod(os.path.dirname(self.root), 0o755)
        self.tree.add_image("a", "1", LAYER)

    def close(self, *names: str) -> None:
        """Remove all permissions of a directory, also those of its owner."""
        place = self.tree.path(*names)
        os.chmod(place, 0)
        self.addCleanup(os.chmod, place, 0o755)

    def ask(self, path: str) -> Response:
        """Send a request to a daemon that does not run as root."""
        with without_privileges(os.path.dirname(self.root)):
            return self.request(path, headers=NODE)

    def assert_refused(self, response: Response, reason: str) -> None:
        """Check that a response is 503 with a reason."""
        self.assertEqual((response.code, response.error_code), (503, "UNAVAILABLE"))
        self.assertEqual(response.json["errors"][0]["message"], reason)

    def test_root(self) -> None:
        """A root without read permission is a 503, and nothing is logged as not found."""
        reason = (
            f"root {self.root} cannot be read by this user: give it permission "
            "(chmod -R a+rX), also for the directories above (chmod a+x)"
        )
        self.close()
        for store in (None, DeferredTree(self.root)):
            if store is not None:
                self.serve(store)
            for path in (*PATHS, "/v2/nothing/manifests/1", "/v2/_catalog"):
                self.assert_refused(self.ask(path), reason)
            self.assertEqual(self.ask("/readyz?verbose").json["checks"]["root"], reason)
            self.assertEqual(self.request("/minreg/missing").json["missing"], [])

    def test_repository(self) -> None:
        """A repository without read permission is a 503, and the log says how to fix it."""
        for names in (("a", "manifests"), ("a",)):
            self.close(*names)
            for path in PATHS:
                self.assert_refused(
                    self.ask(path),
                    "this content of a cannot be read: the registry's log says what to do",
                )
            reasons = {event["reason"] for event in self.logged("content_invalid")}
            self.assertIn("give it permission (chmod a+rX)", "".join(reasons))
        self.assertEqual(self.request("/minreg/missing").json["missing"], [])

    def test_denied(self) -> None:
        """The same holds for any user, if the operating system denies access."""
        deny(self, "open", "a/manifests/1")
        self.assert_refused(
            self.request("/v2/a/manifests/1", headers=NODE),
            "this content of a cannot be read: the registry's log says what to do",
        )

    def test_others(self) -> None:
        """Other repositories are served meanwhile."""
        self.tree.add_image("b", "1")
        self.close("a")
        self.assertEqual(self.ask("/v2/b/manifests/1").code, 200)
        self.assertEqual(self.ask("/v2/_catalog").json, {"repositories": ["b"]})


class DeferredTreeTests(WebTestCase):
    """Tests for ``DeferredTree``, as clients see it."""

    def setUp(self) -> None:
        """Serve a root that does not exist."""
        super().setUp()
        self.later = os.path.abspath(self.mktemp())
        self.store = DeferredTree(self.later)
        self.site = self.make_site(self.store)

    def refusal(self, path: str) -> tuple[int, str]:
        """Send a request, and return the status and the message of the error."""
        response = self.request(path)
        return response.code, response.json["errors"][0]["message"]

    def test_absent(self) -> None:
        """While the root does not exist or is empty, the response is 503 and says why."""
        fix = "unpack the registry tree there, or mount the file system that holds it"
        expected = (503, f"root {self.later} does not exist yet: {fix}")
        self.assertEqual(self.refusal("/v2/rancher/pause/manifests/3.6"), expected)
        self.assertEqual(self.refusal("/v2/_catalog"), expected)
        expected = (503, f"root {self.later} is still empty: {fix}")
        # A new file system brings a directory of its own.
        for name in ("", "lost+found"):
            os.mkdir(os.path.join(self.later, name))
            self.assertEqual(self.refusal("/v2/rancher/pause/manifests/3.6"), expected)

    def test_logged_elsewhere(self) -> None:
        """Requests do not log the reason again: the daemon logs it once."""
        self.request("/v2/_catalog")
        self.assertEqual([event["event"] for event in self.events], ["request"])

    def test_comes(self) -> None:
        """Once the root has content, a missing repository is a 404."""
        os.makedirs(os.path.join(self.later, "rancher"))
        self.assertEqual(self.request("/v2/rancher/pause/manifests/3.6").code, 404)
        self.assertEqual(self.request("/v2/_catalog").json, {"repositories": []})

    def test_not_readable(self) -> None:
        """A root that is not a directory is an error."""
        with open(self.later, "wb"):
            pass
        with self.assertRaises(StoreUnavailable) as caught:
            self.store.check()
        self.assertIn("Not a directory", str(caught.exception))
