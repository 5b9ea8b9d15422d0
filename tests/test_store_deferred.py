"""Tests for ``minreg.store.tree``."""

import os

from minreg.store.interfaces import StoreUnavailable
from minreg.store.tree import DeferredTree
from tests.support import WebTestCase


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
