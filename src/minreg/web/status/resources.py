"""``/metrics``: the figures for Prometheus.

Its client library is not loaded before somebody asks.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from time import time
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from minreg.oci.errors import RegistryError, not_an_endpoint
from minreg.store.interfaces import IRegistryStore
from minreg.text import count, printable
from minreg.web.disk import DiskIO
from minreg.web.fastpath.site import FastSite
from minreg.web.registry.endpoints import make_root
from minreg.web.request import RegistryRequest
from minreg.web.resource import RefusingResource, RegistryResource
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
    """The figures of a site.

    Args:
        site: The site.
        figures: What it did so far.
        misses: What was missed.
    """

    isLeaf = True

    def __init__(self, site: RegistrySite, figures: RequestMetrics, misses: NotFoundLog) -> None:
        super().__init__()
        self._site = site
        self._figures = figures
        self._misses = misses
        self._exposition: Exposition | None = None

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the figures.

        Raises:
            RegistryError: The library that writes them is not installed.
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
                "prometheus-client is not installed: reinstall minreg; where there is no network, "
                "from its wheels: pip install --no-index --find-links wheels minreg",
            ) from None
        return Exposition(SiteCollector(self._site, self._figures, self._misses))


class MissingResource(RegistryResource):
    """What was missed: as JSON, or as a list of images.

    Args:
        misses: The record.
        aliases: Names of this registry, each with the host that is meant by it.
    """

    isLeaf = True

    def __init__(self, misses: NotFoundLog, aliases: Mapping[str, str]) -> None:
        super().__init__()
        self._misses = misses
        self._aliases = aliases

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the record, in the format that the query or ``Accept`` names.

        Raises:
            RegistryError: There is no such format.
        """
        if wants_list(request):
            return send_lines(request, self._as_list())
        return request.respond(self._as_json(), b"application/json")

    def _as_json(self) -> bytes:
        document = {
            "missing": [
                {
                    "namespace": miss.wanted.namespace,
                    "repository": miss.wanted.repository,
                    "reference": miss.wanted.reference,
                    "kind": "blob" if miss.wanted.is_blob else "manifest",
                    "image": image_of(miss.wanted, self._aliases),
                    "count": miss.count,
                    "attempts": miss.occasions,
                    "first": format_time(miss.first),
                    "last": format_time(miss.last),
                    "user_agent": miss.user_agent,
                }
                for miss in self._misses.list()
            ],
            "dropped": self._misses.dropped,
        }
        return json.dumps(document, indent=1).encode("ascii") + b"\n"

    def _as_list(self) -> bytes:
        missed = self._misses.list()
        lines = (_as_line(miss, image_of(miss.wanted, self._aliases)) for miss in missed)
        return "".join(lines).encode("utf-8")


def _as_line(miss: NotFoundEntry, image: str) -> str:
    """Write an image that can be downloaded, or a comment on what cannot."""
    remark = (
        f"# {count(miss.count, 'time')}, last {format_time(miss.last)}, "
        f"by {printable(miss.user_agent)}"
    )
    if image and not names_registry(miss.wanted) and miss.occasions == 1:
        # Whoever tries names at random says no registry, and does not come back.
        return f"# of no registry that was named, perhaps: {image}  {remark}\n"
    if image:
        return f"{image}  {remark}\n"
    wanted = miss.wanted
    name = join_reference(wanted.repository, wanted.reference)
    what = "blob" if wanted.is_blob else "of an unknown registry"
    return f"# {what}: {wanted.namespace or '-'} {name}  {remark}\n"


def make_sites(
    store: IRegistryStore,
    disk: DiskIO,
    clock: IReactorTime,
    most_connections: int,
    plan: StatusOptions,
) -> tuple[RegistrySite, RegistrySite]:
    """Make what serves the registry and what serves its status; they may be the same.

    Args:
        store: What the registry serves.
        disk: Where the store is looked at.
        clock: Measures time.
        most_connections: How many may be open at once, on each site.
        plan: What is served.
    """
    figures, misses = RequestMetrics(), NotFoundLog(time)
    root = make_root(store, disk)
    site = FastSite(
        root, clock, most_connections, [figures.count, make_not_found_observer(misses)]
    )
    status_root = RegistryResource() if plan.is_elsewhere else root
    totals = TotalsCounter(store.uncached(), disk, clock)
    put_status(status_root, StatusContext(site, store, disk, clock, figures, misses, totals), plan)
    if not plan.is_elsewhere:
        return site, site
    return site, FastSite(status_root, clock, most_connections)


def put_status(root: RegistryResource, watched: StatusContext, plan: StatusOptions) -> None:
    """Put health, figures, misses and pages below a root."""
    site, misses = watched.site, watched.misses
    below = RegistryResource()
    root.putChild(b"minreg", below)
    root.putChild(b"livez", LiveResource())
    root.putChild(b"readyz", ReadyResource(site, watched.store, watched.disk))
    root.putChild(b"metrics", MetricsResource(site, watched.figures, misses))
    below.putChild(b"preflight", LazyResource(partial(_load_preflight, watched, plan)))
    below.putChild(b"status", StatusResource(watched, plan, time))
    missing = MissingResource(misses, plan.aliases)
    if not plan.has_page:
        below.putChild(b"missing", missing)
        return
    load = cache(partial(_load_views, watched, plan))
    nothing = RefusingResource(not_an_endpoint)
    root.putChild(b"", BrowserResource(PageLoader(load, lambda views: views.home), nothing))
    below.putChild(
        b"images", BrowserResource(PageLoader(load, lambda views: views.image), nothing)
    )
    below.putChild(b"missing", MissingPage(PageLoader(load, lambda views: views.missing), missing))
    below.putChild(b"style.css", LazyResource(_load_style))
    root.fallback = BrowserResource(PageLoader(load, lambda views: views.not_found), nothing)
    below.fallback = root.fallback


class LazyResource(RegistryResource):
    """A resource that is loaded, with all that it needs, when it is first asked for."""

    isLeaf = True

    def __init__(self, load: Callable[[], RegistryResource]) -> None:
        super().__init__()
        self._load = cache(load)

    def render(self, request: RegistryRequest) -> int:
        """Have it answer."""
        return self._load().render(request)


class MissingPage(BrowserResource):
    """The page about what was missed, unless the query asks for a format of its own."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Show the page, or send the record."""
        if b"format" in request.args:
            return self._otherwise.render(request)
        return super().render_GET(request)


# What few ask for is loaded when somebody does.


def _load_preflight(watched: StatusContext, plan: StatusOptions) -> RegistryResource:
    from minreg.web.status.preflight import PreflightResource  # noqa: PLC0415

    return PreflightResource(watched.store, watched.disk, plan.aliases)


def _load_style() -> RegistryResource:
    from minreg.web.pages.html import StyleResource  # noqa: PLC0415

    return StyleResource()


def _load_views(watched: StatusContext, plan: StatusOptions) -> Views:
    from minreg.web.pages.views import PageViews  # noqa: PLC0415

    return PageViews(watched, plan)
