"""Counts what the site does. Nothing here depends on who asks for the figures, or how.

Counting happens on every request, so it is a few additions. What clients send decides
about none of the keys: endpoints, methods and statuses are taken from lists of our own.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from minreg.web.endpoints import ENDPOINTS, endpoint_of
from minreg.web.request import CLIENT_LEFT, NOT_TAKEN

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 300)
"""Bounds of the histogram of durations."""

BYTES = tuple(4**power for power in range(4, 17))
"""Bounds of the histogram of sizes: 256 bytes to 4 GiB."""

_METHODS = frozenset({"GET", "HEAD"})
_BY_THE_CLIENT = frozenset({CLIENT_LEFT, NOT_TAKEN})


class Histogram:
    """Counts values by how large they are.

    Args:
        bounds: The largest value of each class but the last, which has no bound.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def cumulated(self) -> list[tuple[str, int]]:
        """Name each bound, with how many values do not exceed it."""
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))


class Figures:
    """What was answered so far: how often, how long it took, how much it was.

    ``requests`` has an endpoint, a method and a status for each number; ``aborted`` and
    ``truncated`` are answers that broke off by the client's fault and by another, by
    endpoint; ``misses`` what was asked for and not there.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.seconds = {endpoint: Histogram(SECONDS) for endpoint in ENDPOINTS}
        self.bytes = {endpoint: Histogram(BYTES) for endpoint in ENDPOINTS}
        self.aborted: Counter[str] = Counter()
        self.truncated: Counter[str] = Counter()
        self.misses: Counter[str] = Counter()

    def count(self, event: Mapping[str, Any]) -> None:
        """Count a request by what the log says of it.

        An event that is published again keeps the words that it counts by.
        """
        kept: dict[object, tuple[str, str, str]] = event.get("log_kept", {})
        words = kept.get(self)
        if words is None:
            words = kept[self] = _words(event)
        endpoint, status, failure = words[0], event["status"], event["failure"]
        self.requests[words] += 1
        self.seconds[endpoint].add(event["seconds"])
        self.bytes[endpoint].add(event["bytes"])
        if failure and status < 400:
            (self.aborted if failure in _BY_THE_CLIENT else self.truncated)[endpoint] += 1
        if status == 404 and endpoint in {"manifests", "blobs"}:
            self.misses[endpoint] += 1


def _words(event: Mapping[str, Any]) -> tuple[str, str, str]:
    method = event["method"] if event["method"] in _METHODS else "other"
    return endpoint_of(event["path"]), method, str(event["status"])
