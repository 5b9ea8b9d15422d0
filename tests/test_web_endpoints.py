"""Tests for ``minreg.web.status.request_metrics``."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.web.status.request_metrics import ENDPOINTS, endpoint_of


class EndpointOfTests(SynchronousTestCase):
    """Tests for ``endpoint_of``."""

    def test_text(self) -> None:
        """Each path has an endpoint, which is decided by the end of the path."""
        for path, word in {
            "/v2/": "base",
            "/v2": "base",
            "/v2/_catalog": "catalog",
            "/v2/a/b/manifests/1.0": "manifests",
            "/v2/a/blobs/blobs/sha256:0": "blobs",
            "/v2/a/tags/list": "tags",
            "/v2/a/referrers/sha256:0": "referrers",
            "/v2/manifests/1.0": "other",
            "/v2/a/frobnicate/1": "other",
            "/v2x/a/manifests/1": "other",
            "/livez": "status",
            "/readyz": "status",
            "/metrics": "status",
            "/": "page",
            "/minreg/missing": "page",
            "/favicon.ico": "other",
            "http://127.0.0.1:9080/v2/a/manifests/1": "manifests",
            "HTTPS://registry/metrics": "status",
            "http://registry": "page",
            "/v2/a/%6danifests/1": "manifests",
            "/%762/a%2Fb/blobs/sha256%3A0": "blobs",
            "/v2/a%2Fmanifests%2F1": "other",
            "/v2//manifests/1": "other",
            "-": "other",
        }.items():
            self.assertEqual(endpoint_of(path), word, path)

    @given(st.text())
    def test_bounded(self, path: str) -> None:
        """The endpoint is one of a few words for any target."""
        self.assertIn(endpoint_of(path), ENDPOINTS)
        self.assertIn(endpoint_of(f"/v2/{path}"), ENDPOINTS)
