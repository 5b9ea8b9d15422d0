"""What is served beside the registry itself, for those who look after it."""

from collections.abc import Callable
from functools import cache, partial
from time import time

from twisted.internet.interfaces import IReactorTime

from minreg.errors import not_an_endpoint
from minreg.interfaces import IRegistryStore
from minreg.web.connection.site import RegistrySite
from minreg.web.disk import Disk
from minreg.web.registry.api import make_root
from minreg.web.request import RegistryRequest
from minreg.web.resource import RefusingResource, RegistryResource
from minreg.web.status.browsers import BrowserResource, Page, Views
from minreg.web.status.figures import Figures
from minreg.web.status.health import LiveResource, ReadyResource
from minreg.web.status.metrics import MetricsResource
from minreg.web.status.misses import Misses
from minreg.web.status.missing import MissingResource
from minreg.web.status.plan import StatusPlan, Watched
from minreg.web.status.running import StatusResource
from minreg.web.status.totals import TotalsCounter
from minreg.web.status.wanted import make_witness


def make_sites(
    store: IRegistryStore, disk: Disk, clock: IReactorTime, most_connections: int, plan: StatusPlan
) -> tuple[RegistrySite, RegistrySite]:
    """Make what serves the registry and what serves its status; they may be the same.

    Args:
        store: What the registry serves.
        disk: Where the store is looked at.
        clock: Measures time.
        most_connections: How many may be open at once, on each site.
        plan: What is served.
    """
    figures, misses = Figures(), Misses(time)
    root = make_root(store, disk)
    site = RegistrySite(root, clock, most_connections, [figures.count, make_witness(misses)])
    status_root = RegistryResource() if plan.is_elsewhere else root
    totals = TotalsCounter(store.uncached(), disk, clock)
    put_status(status_root, Watched(site, store, disk, clock, figures, misses, totals), plan)
    if not plan.is_elsewhere:
        return site, site
    return site, RegistrySite(status_root, clock, most_connections)


def put_status(root: RegistryResource, watched: Watched, plan: StatusPlan) -> None:
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
    root.putChild(b"", BrowserResource(Page(load, lambda views: views.home), nothing))
    below.putChild(b"images", BrowserResource(Page(load, lambda views: views.image), nothing))
    below.putChild(b"missing", MissingPage(Page(load, lambda views: views.missing), missing))
    below.putChild(b"style.css", LazyResource(_load_style))
    root.fallback = BrowserResource(Page(load, lambda views: views.not_found), nothing)
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


def _load_preflight(watched: Watched, plan: StatusPlan) -> RegistryResource:
    from minreg.web.status.preflight import PreflightResource  # noqa: PLC0415

    return PreflightResource(watched.store, watched.disk, plan.aliases)


def _load_style() -> RegistryResource:
    from minreg.web.status.page.style import StyleResource  # noqa: PLC0415

    return StyleResource()


def _load_views(watched: Watched, plan: StatusPlan) -> Views:
    from minreg.web.status.page.views import PageViews  # noqa: PLC0415

    return PageViews(watched, plan)
