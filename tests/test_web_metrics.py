"""Tests for ``/metrics``, and for ``minreg.web.status.request_metrics``."""

import subprocess
import sys
import time
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from minreg import __version__
from minreg.log import RequestRecord
from minreg.store.tree import RegistryTree
from minreg.web.request import CLIENT_LEFT, NOT_TAKEN
from minreg.web.status.request_metrics import ENDPOINTS, Histogram, RequestMetrics, endpoint_of
from tests.fastpath import LATER
from tests.status_support import HOSTILE, StatusTestCase
from tests.support import ALIASES


class MetricsTests(StatusTestCase):
    """Tests for ``MetricsResource``."""

    def metrics(self) -> dict[str, float]:
        """Request the metrics, and parse them as Prometheus does."""
        response = self.request("/metrics")
        self.assertEqual(response.code, 200)
        self.assertTrue(response.headers["content-type"].startswith("text/plain; version="))
        metrics = {}
        for family in text_string_to_metric_families(response.body.decode()):
            for sample in family.samples:
                labels = ",".join(f"{key}={text}" for key, text in sorted(sample.labels.items()))
                metrics[f"{sample.name}{{{labels}}}"] = sample.value
        return metrics

    def test_requests(self) -> None:
        """Requests, durations, sizes and requests for missing content are counted."""
        self.tree.add_image("a", "1")
        for tag in ("1", "1", "2"):
            size = len(self.request(f"/v2/a/manifests/{tag}").body)
        metrics = self.metrics()
        requests = "minreg_requests_total{endpoint=manifests,method=GET,status=%d}"
        self.assertEqual([metrics[requests % status] for status in (200, 404)], [2, 1])
        self.assertEqual(metrics["minreg_not_found_total{endpoint=manifests}"], 1)
        self.assertEqual(metrics["minreg_not_found_names{}"], 1)
        seconds = "minreg_request_duration_seconds"
        self.assertEqual(metrics[f"{seconds}_count{{endpoint=manifests}}"], 3)
        self.assertEqual(metrics[f"{seconds}_bucket{{endpoint=manifests,le=+Inf}}"], 3)
        self.assertEqual(metrics[f"{seconds}_bucket{{endpoint=manifests,le=0.001}}"], 3)
        self.assertGreater(metrics["minreg_response_size_bytes_sum{endpoint=manifests}"], 2 * size)

    def test_repeated(self) -> None:
        """Requests that are answered from the cache are counted."""
        self.serve(RegistryTree(self.root, ALIASES, now=lambda: time.time_ns() + LATER))
        self.tree.add_image("a", "1")
        for count in (3, 6):
            for _ in range(3):
                self.request("/v2/a/manifests/1")
            metrics = self.metrics()
            requests = "minreg_requests_total{endpoint=manifests,method=GET,status=200}"
            self.assertEqual(metrics[requests], count)

    def test_state(self) -> None:
        """The current state and the versions are metrics."""
        idle = self.connect()
        metrics = self.metrics()
        idle.leave()
        self.assertEqual(metrics["minreg_connections{}"], 2)
        self.assertEqual(metrics["minreg_transfers_in_progress{}"], 1)
        self.assertGreater(metrics["process_resident_memory_bytes{}"], 0)
        [build] = [name for name in metrics if name.startswith("minreg_build_info")]
        self.assertIn(f"version={__version__}", build)

    def test_transfers(self) -> None:
        """A transfer in progress is counted, and then as aborted."""
        layer = b"x" * 1_000_000
        image = self.tree.image(layer)
        self.tree.add_manifest("a", image, "1")
        blob = f"/v2/a/blobs/{image['layers'][0]['digest']}"
        transfer = self.connect(reads=False)
        transfer.send(f"GET {blob} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.assertEqual(self.metrics()["minreg_transfers_in_progress{}"], 2)
        transfer.leave()
        metrics = self.metrics()
        self.assertEqual(metrics["minreg_transfers_in_progress{}"], 1)
        self.assertEqual(metrics["minreg_aborted_total{endpoint=blobs}"], 1)
        self.assertEqual(metrics["minreg_truncated_total{endpoint=blobs}"], 0)

    def test_open_metrics(self) -> None:
        """A client that accepts OpenMetrics gets it."""
        response = self.request("/metrics", headers={"Accept": "application/openmetrics-text"})
        self.assertIn("application/openmetrics-text", response.headers["content-type"])
        self.assertTrue(response.body.endswith(b"# EOF\n"))

    def test_hostile(self) -> None:
        """Nothing that clients send becomes a label."""
        self.request("/metrics")
        before = self.metrics().keys()
        for number, text in enumerate(HOSTILE * 20):
            self.request(f"/v2/{quote(text)}{number}/manifests/1", headers={"User-Agent": "{x}"})
            self.request(f"/{number}{quote(text)}?ns={quote(text)}", "POST")
        new = self.metrics().keys() - before
        self.assertEqual(
            {name for name in new if not name.startswith("minreg_requests_total")}, set()
        )
        self.assertLess(len(new), 8)


class WithoutLibraryTests(StatusTestCase):
    """Tests for a daemon without optional modules."""

    def forget(self, name: str) -> None:
        """Remove a module from the loaded ones until the test ends."""
        loaded = sys.modules.pop(name, None)
        if loaded is not None:
            self.addCleanup(sys.modules.__setitem__, name, loaded)
        self.addCleanup(sys.modules.pop, name, None)

    def test_one_line(self) -> None:
        """Without the library, the error says what to install."""
        self.forget("minreg.web.status.exposition")
        self.forget("prometheus_client")
        # None makes the import fail as if the module did not exist.
        sys.modules["prometheus_client"] = None  # type: ignore[assignment]
        response = self.request("/metrics")
        self.assertEqual(response.code, 404)
        self.assertIn("reinstall minreg", response.json["errors"][0]["message"])

    def test_another_module(self) -> None:
        """A missing module of minreg is not reported as the missing library."""
        self.forget("minreg.web.status.exposition")
        sys.modules["minreg.web.status.exposition"] = None  # type: ignore[assignment]
        self.assertEqual(self.request("/metrics").code, 500)
        self.flushLoggedErrors(ModuleNotFoundError)

    def test_not_loaded(self) -> None:
        """Modules for optional features are not loaded at the start."""
        program = (
            "import sys, minreg.tap; unwanted = {'prometheus_client', 'minreg.preflight', "
            "'minreg.web.status.exposition', 'minreg.web.pages', 'importlib.resources', "
            "'minreg.store.summary', 'twisted.internet.unix'}; "
            "print(sorted(unwanted & set(sys.modules)))"
        )
        listed = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        )
        self.assertEqual(listed.stdout, "[]\n")


BLOB = "/v2/a/blobs/sha256:0"


def event(path: str = "/v2/a/manifests/1", **more: Any) -> RequestRecord:
    """Return the record of a request."""
    fields = {"method": "GET", "status": 200, "bytes": 5, "seconds": 0.002, **more}
    return RequestRecord("192.0.2.7", path=path, **fields)


class HistogramTests(SynchronousTestCase):
    """Tests for ``Histogram``."""

    def test_classes(self) -> None:
        """A value is counted in the first bucket whose bound it does not exceed, and all above."""
        histogram = Histogram((1, 10))
        for value in (0, 1, 1.5, 10, 11):
            histogram.add(value)
        self.assertEqual(histogram.cumulated(), [("1.0", 2), ("10.0", 4), ("+Inf", 5)])
        self.assertEqual(histogram.total, 23.5)


class FiguresTests(SynchronousTestCase):
    """Tests for ``RequestMetrics``."""

    def setUp(self) -> None:
        """Create empty metrics."""
        self.figures = RequestMetrics()

    def test_requests(self) -> None:
        """Requests are counted by endpoint, method and status."""
        self.figures.count(event(), 2)
        self.figures.count(event("/v2/", method="HEAD", status=503, failure="UNAVAILABLE: x"), 1)
        self.assertEqual(
            self.figures.requests,
            {("manifests", "GET", "200"): 2, ("base", "HEAD", "503"): 1},
        )
        self.assertEqual(self.figures.seconds["manifests"].cumulated()[-1], ("+Inf", 2))
        self.assertEqual(self.figures.bytes["manifests"].total, 10)

    def test_broken_off(self) -> None:
        """Responses aborted by the client and by the registry are counted separately."""
        for failure in (CLIENT_LEFT, NOT_TAKEN, "the file was truncated while it was sent"):
            self.figures.count(event(BLOB, failure=failure), 1)
        self.figures.count(event(BLOB, failure="BLOB_UNKNOWN: x", status=404), 1)
        self.assertEqual(self.figures.aborted, {"blobs": 2})
        self.assertEqual(self.figures.truncated, {"blobs": 1})
        self.assertEqual(self.figures.not_found, {"blobs": 1})

    def test_bounded(self) -> None:
        """Unknown methods and paths are counted as ``other``."""
        for number in range(1000):
            self.figures.count(
                event(f"/{number}", method=f"X{number}", status=405, failure="x"), 1
            )
        self.assertEqual(self.figures.requests, {("other", "other", "405"): 1000})


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
