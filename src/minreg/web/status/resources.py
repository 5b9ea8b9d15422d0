"""What is served beside the registry itself, for those who look after it."""

import importlib.resources
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
from minreg.web.status.preflight import PreflightResource
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
    put_status(status_root, Watched(site, store, disk, clock, figures, misses), plan)
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
    below.putChild(b"preflight", PreflightResource(watched.store, watched.disk, plan.aliases))
    missing = MissingResource(misses, plan.aliases)
    if not plan.has_page:
        below.putChild(b"missing", missing)
        return
    load = cache(partial(_load_views, watched, plan))
    nothing = RefusingResource(not_an_endpoint())
    root.putChild(b"", BrowserResource(Page(load, lambda views: views.home), nothing))
    below.putChild(b"images", BrowserResource(Page(load, lambda views: views.image), nothing))
    below.putChild(b"missing", MissingPage(Page(load, lambda views: views.missing), missing))
    below.putChild(b"style.css", StyleResource())


class MissingPage(BrowserResource):
    """The page about what was missed, unless the query asks for a format of its own."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Show the page, or send the record."""
        if b"format" in request.args:
            return self._otherwise.render(request)
        return super().render_GET(request)


class StyleResource(RegistryResource):
    """What pages look like."""

    isLeaf = True

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the style sheet."""
        request.setHeader(b"cache-control", b"max-age=3600")
        request.setHeader(b"x-content-type-options", b"nosniff")
        return request.respond(_read_style(), b"text/css; charset=utf-8")


@cache
def _read_style() -> bytes:
    return importlib.resources.files("minreg.web.status.page").joinpath("style.css").read_bytes()


def _load_views(watched: Watched, plan: StatusPlan) -> Views:
    # Where nobody browses, nothing of this is loaded.
    from minreg.web.status.page.views import PageViews  # noqa: PLC0415

    return PageViews(watched, plan)
