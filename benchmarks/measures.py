"""What is measured of each server: a sample is a few named figures from one short load."""

from collections.abc import Callable, Mapping

import attrs

from benchmarks.clients import look_up, stream
from benchmarks.content import Content
from benchmarks.servers import DISTRIBUTION, MINREG, MINREG_2, NGINX, Server

RATE = "per second"
CPU = "CPU seconds"
FAIRNESS = "slowest/fastest"

_GIGABYTE = 1e9
_ACCEPT = "Accept: application/vnd.oci.image.manifest.v1+json"
_CONDITION = 'If-None-Match: "another"'

Sample = Mapping[str, float]


@attrs.frozen
class Measure:
    """A load, what it is called, and who has to bear it."""

    words: str
    servers: tuple[str, ...]
    take: Callable[[Server, Content, int], Sample]


def _stream(count: int, path: Callable[[Content], str]) -> Callable[..., Sample]:
    """Measure streams: gigabytes per second, and CPU seconds per gigabyte."""

    def take(server: Server, content: Content, _seconds: int) -> Sample:
        before = server.cpu_seconds()
        streamed = stream(server.port, path(content), count)
        gigabytes = streamed.size / _GIGABYTE
        return {
            RATE: gigabytes / max(streamed.seconds),
            CPU: (server.cpu_seconds() - before) / gigabytes,
            FAIRNESS: min(streamed.seconds) / max(streamed.seconds),
        }

    return take


def _look_up(
    connections: int, path: Callable[[Content], str], *headers: str
) -> Callable[..., Sample]:
    """Measure lookups: answers per second, and CPU seconds per thousand of them."""

    def take(server: Server, content: Content, seconds: int) -> Sample:
        before = server.cpu_seconds()
        looked = look_up(server.port, path(content), connections, seconds, _ACCEPT, *headers)
        if looked.errors:
            raise RuntimeError(f"{server.name} answered {looked.errors} requests with an error")
        return {
            RATE: looked.rate,
            CPU: (server.cpu_seconds() - before) / looked.answers * 1000,
        }

    return take


_LOOKUPS = (MINREG, MINREG_2, NGINX, DISTRIBUTION)

MEASURES = {
    "stream": Measure(
        "1 GiB blob, one stream",
        (MINREG, NGINX, DISTRIBUTION),
        _stream(1, lambda content: content.large_layer),
    ),
    "streams": Measure(
        "100 MiB blob, 64 streams",
        (MINREG, MINREG_2, NGINX, DISTRIBUTION),
        _stream(64, lambda content: content.layer),
    ),
    "manifest-16": Measure(
        "manifest, wrk -c16", _LOOKUPS, _look_up(16, lambda content: content.manifest)
    ),
    "manifest-256": Measure(
        "manifest, wrk -c256", _LOOKUPS, _look_up(256, lambda content: content.manifest)
    ),
    "config": Measure(
        "config of 8 KiB, wrk -c16", _LOOKUPS, _look_up(16, lambda content: content.config)
    ),
    "ordinary": Measure(
        "manifest, conditional, wrk -c16",
        (MINREG, DISTRIBUTION),
        _look_up(16, lambda content: content.manifest, _CONDITION),
    ),
}


@attrs.frozen
class Ratio:
    """A line of the table: minreg's figure divided by a peer's, and what it should be."""

    measure: str
    figure: str
    server: str
    peer: str
    target: str


RATIOS = (
    Ratio("stream", RATE, MINREG, NGINX, ">= 0.95"),
    Ratio("stream", CPU, MINREG, NGINX, "<= 1.10"),
    Ratio("stream", RATE, MINREG, DISTRIBUTION, ""),
    Ratio("streams", RATE, MINREG, NGINX, ">= 0.95"),
    Ratio("streams", RATE, MINREG_2, NGINX, ""),
    Ratio("streams", CPU, MINREG, NGINX, ""),
    Ratio("manifest-16", RATE, MINREG, DISTRIBUTION, ">= 20"),
    Ratio("manifest-16", RATE, MINREG, NGINX, ">= 0.33"),
    Ratio("manifest-16", RATE, MINREG_2, NGINX, ">= 0.55"),
    Ratio("manifest-16", CPU, MINREG, NGINX, ""),
    Ratio("manifest-256", RATE, MINREG, DISTRIBUTION, ">= 20"),
    Ratio("manifest-256", RATE, MINREG, NGINX, ">= 0.33"),
    Ratio("manifest-256", RATE, MINREG_2, NGINX, ">= 0.55"),
    Ratio("config", RATE, MINREG, NGINX, ">= 0.25"),
    Ratio("config", RATE, MINREG, DISTRIBUTION, ""),
    Ratio("ordinary", RATE, MINREG, DISTRIBUTION, ">= 5"),
)
