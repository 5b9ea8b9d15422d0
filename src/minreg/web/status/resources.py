"""The resources beside the registry: health, status, metrics, the not-found log and the pages.

Many daemons never serve the pages, the preflight or the metrics. Their modules, and Prometheus'
client library, are loaded at the first request for them, to keep the start short and the memory of
an idle daemon small.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from time import time
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from minreg.oci.errors import RegistryError, not_an_endpoint
from minreg.program import reinstall_hint
from minreg.store.interfaces import IRegistryStore
from minreg.text import count, printable
from minreg.web.disk import DiskIO
from minreg.web.fastpath import FastSite
from minreg.web.registry.endpoints import make_root
from minreg.web.request import RefusingResource, RegistryRequest, RegistryResource
from minreg.web.site import RegistrySite
from minreg.web.status.browsers import BrowserResource, PageLoader, Views
from minreg.web.status.context import StatusContext, StatusOptions
from minreg.web.status.formats import format_time, send_lines, wants_list
from minreg.web.status.health import LiveResource, ReadyResource
from minreg.web.status.not_found import (
    NotFoundEntry,
    NotFoundLog,
    image_of,
    join_reference,
    make_not_found_observer,
    names_registry,
)
from minreg.web.status.request_metrics import RequestMetrics
from minreg.web.status.running import StatusResource
from minreg.web.status.totals import TotalsCounter

if TYPE_CHECKING:
    from minreg.web.status.exposition import Exposition

_LIBRARY = "prometheus_client"


class MetricsResource(RegistryResource):
    """``/metrics``: the metrics of a site, for Prometheus.

    Args:
        site: The site.
        metrics: The metrics of its requests.
        not_found: Its not-found log.
    """

    isLeaf = True

    def __init__(
        self, site: RegistrySite, metrics: RequestMetrics, not_found: NotFoundLog
    ) -> None:
        super().__init__()
        self._site = site
        self._metrics = metrics
        self._not_found = not_found
        self._exposition: Exposition | None = None

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the metrics.

        Raises:
            RegistryError: Prometheus' client library is not installed.
        """
        if self._exposition is None:
            self._exposition = self._load()
        body, media_type = self._exposition.write(request.header(b"accept") or "")
        request.setHeader(b"cache-control", b"no-store")
        return request.respond(body, media_type.encode("ascii"))

    def _load(self) -> "Exposition":
        try:
            from minreg.web.status.exposition import Exposition, SiteCollector  # noqa: PLC0415 - see above
        except ModuleNotFoundError as error:
            if error.name != _LIBRARY:
                raise
            raise RegistryError(
                404,
                "UNSUPPORTED",
                f"prometheus-client is not installed: {reinstall_hint()}",
            ) from None
        return Exposition(SiteCollector(self._site, self._metrics, self._not_found))


class NotFoundResource(RegistryResource):
    """``/minreg/missing``: the not-found log, as JSON or as a list for ``minreg download``.

    Args:
        log: The not-found log.
        aliases: Names of this registry, each with the upstream host that it stands for.
    """

    isLeaf = True

    def __init__(self, log: NotFoundLog, aliases: Mapping[str, str]) -> None:
        super().__init__()
        self._log_entries = log
        self._aliases = aliases

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the log in the format that the query or ``Accept`` names.

        Raises:
            RegistryError: The format is unknown.
        """
        if wants_list(request):
            return send_lines(request, self._as_list())
        return request.respond(self._as_json(), b"application/json")

    def _as_json(self) -> bytes:
        document = {
            "missing": [
                {
                    "namespace": entry.content.registry,
                    "repository": entry.content.repository,
                    "reference": entry.content.reference,
                    "kind": "blob" if entry.content.is_blob else "manifest",
                    "image": image_of(entry.content, self._aliases),
                    "count": entry.count,
                    "attempts": entry.attempts,
                    "first": format_time(entry.first),
                    "last": format_time(entry.last),
                    "user_agent": entry.user_agent,
                }
                for entry in self._log_entries.list()
            ],
            "dropped": self._log_entries.dropped,
        }
        return json.dumps(document, indent=1).encode("ascii") + b"\n"

    def _as_list(self) -> bytes:
        lines = (
            _as_line(entry, image_of(entry.content, self._aliases))
            for entry in self._log_entries.list()
        )
        return "".join(lines).encode("utf-8")


def _as_line(entry: NotFoundEntry, image: str) -> str:
    """Return an image for ``minreg download``, or a comment about what it cannot download."""
    remark = (
        f"# {count(entry.count, 'time')}, last {format_time(entry.last)}, "
        f"by {printable(entry.user_agent)}"
    )
    content = entry.content
    if image and not names_registry(content) and entry.attempts == 1:
        # Scanners try names without a registry, once each. Nodes name it, and retry.
        return f"# no registry named, perhaps: {image}  {remark}\n"
    if image:
        return f"{image}  {remark}\n"
    kind = "blob" if content.is_blob else "unknown registry"
    name = join_reference(content.repository, content.reference)
    return f"# {kind}: {content.registry or '-'} {name}  {remark}\n"


def make_sites(
    store: IRegistryStore,
    disk: DiskIO,
    clock: IReactorTime,
    most_connections: int,
    options: StatusOptions,
) -> tuple[RegistrySite, RegistrySite]:
    """Return the site of the registry and the site of its status, which may be the same.

    Args:
        store: The store to serve.
        disk: Runs the store's methods in threads.
        clock: Measures time.
        most_connections: The largest number of open connections, for each site.
        options: How the daemon was started.
    """
    not_found = NotFoundLog(time)
    metrics = RequestMetrics(make_not_found_observer(not_found))
    root = make_root(store, disk)
    site = FastSite(root, clock, most_connections, [metrics.count])
    status_root = RegistryResource() if options.is_elsewhere else root
    totals = TotalsCounter(store.uncached(), disk, clock)
    context = StatusContext(site, store, disk, clock, metrics, not_found, totals)
    add_status(status_root, context, options)
    if not options.is_elsewhere:
        return site, site
    return site, FastSite(status_root, clock, most_connections)


def add_status(root: RegistryResource, context: StatusContext, options: StatusOptions) -> None:
    """Add health, metrics, status, the not-found log and the pages to a root resource."""
    minreg = RegistryResource()
    root.putChild(b"minreg", minreg)
    root.putChild(b"livez", LiveResource())
    root.putChild(b"readyz", ReadyResource(context.site, context.store, context.disk))
    root.putChild(b"metrics", MetricsResource(context.site, context.metrics, context.not_found))
    minreg.putChild(b"preflight", LazyResource(partial(_load_preflight, context, options)))
    minreg.putChild(b"status", StatusResource(context, options, time))
    not_found = NotFoundResource(context.not_found, options.aliases)
    if options.has_page:
        _add_pages(root, minreg, not_found, cache(partial(_load_views, context, options)))
    else:
        minreg.putChild(b"missing", not_found)


def _add_pages(
    root: RegistryResource,
    minreg: RegistryResource,
    not_found: NotFoundResource,
    load: Callable[[], Views],
) -> None:
    refusal = RefusingResource(not_an_endpoint)
    home = PageLoader(load, lambda views: views.home)
    image = PageLoader(load, lambda views: views.image)
    missing = PageLoader(load, lambda views: views.not_found)
    unknown = PageLoader(load, lambda views: views.unknown_path)
    root.putChild(b"", BrowserResource(home, refusal))
    minreg.putChild(b"images", BrowserResource(image, refusal))
    minreg.putChild(b"missing", NotFoundPageResource(missing, not_found))
    minreg.putChild(b"style.css", LazyResource(_load_style))
    root.fallback = minreg.fallback = BrowserResource(unknown, refusal)


class LazyResource(RegistryResource):
    """A resource whose modules are loaded at the first request for it.

    Args:
        load: Returns the resource.
    """

    isLeaf = True

    def __init__(self, load: Callable[[], RegistryResource]) -> None:
        super().__init__()
        self._load = cache(load)

    def render(self, request: RegistryRequest) -> int:
        """Respond to a request with the resource."""
        return self._load().render(request)


class NotFoundPageResource(BrowserResource):
    """``/minreg/missing`` for browsers: a page, unless the query names a format."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the page, or the log in the format that the query names."""
        if b"format" in request.args:
            return self._otherwise.render(request)
        return super().render_GET(request)


def _load_preflight(context: StatusContext, options: StatusOptions) -> RegistryResource:
    from minreg.web.status.preflight import PreflightResource  # noqa: PLC0415 - see above

    return PreflightResource(context.store, context.disk, options.aliases)


def _load_style() -> RegistryResource:
    from minreg.web.pages.html import StyleResource  # noqa: PLC0415 - see above

    return StyleResource()


def _load_views(context: StatusContext, options: StatusOptions) -> Views:
    from minreg.web.pages.views import PageViews  # noqa: PLC0415 - see above

    return PageViews(context, options)
