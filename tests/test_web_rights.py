"""Tests for trees that the daemon's user may not read, completely or in part."""

import os

from minreg.oci.names import Digest
from minreg.store.tree import DeferredTree
from tests.status_support import NODE, StatusTestCase
from tests.store_support import without_privileges
from tests.support import Response

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

    def test_others(self) -> None:
        """Other repositories are served meanwhile."""
        self.tree.add_image("b", "1")
        self.close("a")
        self.assertEqual(self.ask("/v2/b/manifests/1").code, 200)
        self.assertEqual(self.ask("/v2/_catalog").json, {"repositories": ["b"]})
