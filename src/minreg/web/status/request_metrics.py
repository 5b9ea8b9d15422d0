"""Counting requests for ``/metrics``.

Metrics are labelled with an endpoint, which is one of a few words whatever clients send: a label
per path would let a client fill the memory.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from urllib.parse import unquote

from minreg.log import RequestRecord
from minreg.web.request import CLIENT_LEFT, NOT_TAKEN, path_of

_OF_A_REPOSITORY = frozenset({"manifests", "blobs", "tags", "referrers"})
_STATUS = frozenset({"livez", "readyz", "metrics"})
_OF_THE_REGISTRY = {"": "base", "_catalog": "catalog"}

ENDPOINTS = (*sorted(_OF_A_REPOSITORY), "base", "catalog", "status", "page", "other")
"""All values that ``endpoint_of`` returns."""


def split_path(target: str) -> list[str]:
    """Return the parts of the path of a request's target, percent-decoded."""
    path = target[1:]
    if not target.startswith("/"):
        path = path_of(target.encode("latin-1", "replace")).decode("latin-1")
    parts = path.split("/")
    return [unquote(part) for part in parts] if "%" in path else parts


def endpoint_of(target: str) -> str:
    """Return the endpoint that a request's target, as the client sent it, belongs to."""
    first, *parts = split_path(target)
    if first == "v2":
        if len(parts) > 2 and parts[-2] in _OF_A_REPOSITORY and any(parts[:-2]):
            return parts[-2]
        return _OF_THE_REGISTRY.get("/".join(parts), "other")
    if first in _STATUS and not parts:
        return "status"
    if (not first and not parts) or (first == "minreg" and parts):
        return "page"
    return "other"


SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300)
"""Upper bounds of the histogram of durations, in seconds."""

BYTES = tuple(4**power for power in range(4, 17))
"""Upper bounds of the histogram of sizes, in bytes: 256 bytes to 4 GiB."""

_METHODS = frozenset({"GET", "HEAD"})
_CLIENT_FAILURES = frozenset({CLIENT_LEFT, NOT_TAKEN})


class Histogram:
    """A histogram.

    Args:
        bounds: The upper bound of each bucket but the last, which has none.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value ``times`` times."""
        self._counts[bisect_left(self._bounds, value)] += times
        self.total += value * times

    def cumulated(self) -> list[tuple[str, int]]:
        """Return each bound as text, with the number of values that do not exceed it."""
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))


class RequestMetrics:
    """Counts answered requests, their durations, and the sizes of the responses.

    Args:
        on_not_found: Called as ``count`` is, for requests for manifests and blobs that do not
            exist.

    Attributes:
        requests: Requests by endpoint, method and status.
        seconds: Durations by endpoint.
        bytes: Sizes of bodies by endpoint.
        aborted: Responses that ended early because of the client, by endpoint.
        truncated: Responses that ended early for another reason, by endpoint.
        not_found: Requests for manifests and blobs that do not exist, by endpoint.
    """

    def __init__(self, on_not_found: Callable[[RequestRecord, int], None] | None = None) -> None:
        self._on_not_found = on_not_found
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.seconds = {endpoint: Histogram(SECONDS) for endpoint in ENDPOINTS}
        self.bytes = {endpoint: Histogram(BYTES) for endpoint in ENDPOINTS}
        self.aborted: Counter[str] = Counter()
        self.truncated: Counter[str] = Counter()
        self.not_found: Counter[str] = Counter()

    def count(self, record: RequestRecord, times: int) -> None:
        """Count a request that was answered ``times`` times (a ``RequestObserver``)."""
        endpoint = endpoint_of(record.path)
        method = record.method if record.method in _METHODS else "other"
        self.requests[endpoint, method, str(record.status)] += times
        self.seconds[endpoint].add(record.seconds, times)
        self.bytes[endpoint].add(record.bytes, times)
        if record.failure and record.status < 400:
            counter = self.aborted if record.failure in _CLIENT_FAILURES else self.truncated
            counter[endpoint] += times
        if record.status == 404 and endpoint in {"manifests", "blobs"}:
            self.not_found[endpoint] += times
            if self._on_not_found is not None:
                self._on_not_found(record, times)
