"""Tests for ``minreg.web.status.request_metrics``."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from minreg.log import RequestRecord
from minreg.web.request import CLIENT_LEFT, NOT_TAKEN
from minreg.web.status.request_metrics import Histogram, RequestMetrics

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
