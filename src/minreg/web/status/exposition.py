"""Writing metrics in the formats of Prometheus and OpenMetrics, with Prometheus' client library.

A module of its own, because it is loaded lazily: the library is optional, and large.
"""

import platform
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import twisted
from minreg import __version__
from minreg.web.site import RegistrySite
from minreg.web.status.not_found import NotFoundLog
from minreg.web.status.request_metrics import Histogram, RequestMetrics


class SiteCollector(Collector):
    """Collects the metrics of a site.

    Args:
        site: The site.
        metrics: The metrics of its requests.
        not_found: Its not-found log.
    """

    def __init__(
        self, site: RegistrySite, metrics: RequestMetrics, not_found: NotFoundLog
    ) -> None:
        self._site = site
        self._metrics = metrics
        self._not_found = not_found

    def collect(self) -> Iterable[Metric]:
        """Return all metric families with their current values."""
        metrics = self._metrics
        self._site.update_observers()
        requests = CounterMetricFamily(
            "minreg_requests", "Answered requests.", labels=["endpoint", "method", "status"]
        )
        for labels, number in sorted(metrics.requests.items()):
            requests.add_metric(labels, number)
        yield requests
        yield _histogram(
            "minreg_request_duration_seconds",
            "Seconds from the arrival of a request to the end of its response.",
            metrics.seconds,
        )
        yield _histogram("minreg_response_size_bytes", "Bytes of response bodies.", metrics.bytes)
        yield from self._collect_faults()
        yield from self._collect_state()

    def _collect_faults(self) -> Iterator[Metric]:
        metrics = self._metrics
        for name, text, counter in (
            ("aborted", "Responses that the client aborted.", metrics.aborted),
            ("truncated", "Responses that the registry aborted.", metrics.truncated),
            (
                "not_found",
                "Requests for manifests and blobs that do not exist.",
                metrics.not_found,
            ),
        ):
            family = CounterMetricFamily(f"minreg_{name}", text, labels=["endpoint"])
            for endpoint in sorted(counter.keys() | _CONTENT_ENDPOINTS):
                family.add_metric([endpoint], counter[endpoint])
            yield family

    def _collect_state(self) -> Iterator[Metric]:
        for name, text, value in (
            ("transfers_in_progress", "Responses in progress.", self._site.transfers),
            ("connections", "Open connections.", self._site.connections),
            ("not_found_names", "Names in the not-found log.", len(self._not_found)),
        ):
            yield GaugeMetricFamily(f"minreg_{name}", text, value=value)
        build = GaugeMetricFamily(
            "minreg_build_info",
            "The versions of minreg, Python and Twisted.",
            labels=["version", "python", "twisted"],
        )
        build.add_metric([__version__, platform.python_version(), twisted.__version__], 1)
        yield build


# These have a value from the start, so that an alert can see the first increase.
_CONTENT_ENDPOINTS = frozenset({"blobs", "manifests"})


class Exposition:
    """Writes the metrics of a site and of its process.

    Args:
        collector: Collects the metrics of the site.
    """

    def __init__(self, collector: SiteCollector) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(collector)
        ProcessCollector(registry=self._registry)

    def write(self, accepted: str) -> tuple[bytes, str]:
        """Return the metrics, and the media type of their format.

        Args:
            accepted: The header field ``Accept``, which selects the format.
        """
        encode, media_type = choose_encoder(accepted)
        return encode(self._registry), media_type


def _histogram(name: str, text: str, values: Mapping[str, Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=["endpoint"])
    for endpoint, histogram in values.items():
        family.add_metric([endpoint], histogram.cumulated(), histogram.total)
    return family
