"""What a path asks for, in a word: one of a few, whatever clients send."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any
from urllib.parse import unquote

import attrs

from minreg.web.request import CLIENT_LEFT, NOT_TAKEN, path_of

_OF_A_REPOSITORY = frozenset({"manifests", "blobs", "tags", "referrers"})
_STATUS = frozenset({"livez", "readyz", "metrics"})
_OF_THE_REGISTRY = {"": "base", "_catalog": "catalog"}

ENDPOINTS = (*sorted(_OF_A_REPOSITORY), "base", "catalog", "status", "page", "other")
"""All words that ``endpoint_of`` has."""


def split_path(target: str) -> list[str]:
    """Split the path of a request's target, as the client sent it, into its parts."""
    path = target[1:]
    if not target.startswith("/"):
        path = path_of(target.encode("latin-1", "replace")).decode("latin-1")
    parts = path.split("/")
    return [unquote(part) for part in parts] if "%" in path else parts


def endpoint_of(target: str) -> str:
    """Tell which endpoint a request's target, as the client sent it, leads to."""
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
"""Bounds of the histogram of durations."""

BYTES = tuple(4**power for power in range(4, 17))
"""Bounds of the histogram of sizes: 256 bytes to 4 GiB."""

_METHODS = frozenset({"GET", "HEAD"})
_BY_THE_CLIENT = frozenset({CLIENT_LEFT, NOT_TAKEN})

_MOST_REPEATED = 1000


class Histogram:
    """Counts values by how large they are.

    Args:
        bounds: The largest value of each class but the last, which has no bound.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Count a value that came so many times."""
        self._counts[bisect_left(self._bounds, value)] += times
        self.total += value * times

    def cumulated(self) -> list[tuple[str, int]]:
        """Name each bound, with how many values do not exceed it."""
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True))


@attrs.define
class _RequestLabels:
    """What a request counts as, and how often it came again without being counted."""

    words: tuple[str, str, str]
    seconds: float
    bytes: int
    failure: str
    times: int = 0


class RequestMetrics:
    """What was answered so far: how often, how long it took, how much it was.

    ``requests`` has an endpoint, a method and a status for each number; ``aborted`` and
    ``truncated`` are answers that broke off by the client's fault and by another, by
    endpoint; ``misses`` what was asked for and not there. What came again
    in the same words is in them once it is settled.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.seconds = {endpoint: Histogram(SECONDS) for endpoint in ENDPOINTS}
        self.bytes = {endpoint: Histogram(BYTES) for endpoint in ENDPOINTS}
        self.aborted: Counter[str] = Counter()
        self.truncated: Counter[str] = Counter()
        self.misses: Counter[str] = Counter()
        self._repeated: list[_RequestLabels] = []

    def count(self, event: Mapping[str, Any]) -> None:
        """Count a request by what the log says of it.

        An event that is published again keeps what it counts as, and how often it came.
        """
        kept: dict[object, _RequestLabels] = event.get("log_kept", {})
        answered = kept.get(self)
        if answered is None:
            answered = kept[self] = _read(event)
            self._add(answered, 1)
            return
        if not answered.times:
            self._repeated.append(answered)
        answered.times += 1
        if len(self._repeated) > _MOST_REPEATED:
            self.settle()

    def settle(self) -> None:
        """Count what came again since the last time."""
        for answered in self._repeated:
            self._add(answered, answered.times)
            answered.times = 0
        self._repeated.clear()

    def _add(self, answered: _RequestLabels, times: int) -> None:
        endpoint, _, status = answered.words
        self.requests[answered.words] += times
        self.seconds[endpoint].add(answered.seconds, times)
        self.bytes[endpoint].add(answered.bytes, times)
        failure = answered.failure
        if failure and status < "400":
            (self.aborted if failure in _BY_THE_CLIENT else self.truncated)[endpoint] += times
        if status == "404" and endpoint in {"manifests", "blobs"}:
            self.misses[endpoint] += times


def _read(event: Mapping[str, Any]) -> _RequestLabels:
    method = event["method"] if event["method"] in _METHODS else "other"
    words = (endpoint_of(event["path"]), method, str(event["status"]))
    return _RequestLabels(words, event["seconds"], event["bytes"], event["failure"])
