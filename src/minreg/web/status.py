"""What is served beside the registry itself, for those who look after it."""

from collections.abc import Mapping
from time import time

import attrs
from twisted.internet.interfaces import IReactorTime

from minreg.interfaces import IRegistryStore
from minreg.web.api import make_root
from minreg.web.disk import Disk
from minreg.web.figures import Figures
from minreg.web.health import LiveResource, ReadyResource
from minreg.web.metrics import MetricsResource
from minreg.web.misses import Misses
from minreg.web.missing import MissingResource
from minreg.web.resource import RegistryResource
from minreg.web.site import RegistrySite
from minreg.web.wanted import make_witness


@attrs.frozen
class Watched:
    """What there is to be looked at: a site, what it serves, what it did and missed.

    ``aliases`` are names of the registry, each with the host that is meant by it.
    """

    site: RegistrySite
    store: IRegistryStore
    disk: Disk
    figures: Figures
    misses: Misses
    aliases: Mapping[str, str]


def put_status(root: RegistryResource, watched: Watched) -> RegistryResource:
    """Put health, figures and misses below a root; return where ``/minreg/`` begins."""
    site, misses = watched.site, watched.misses
    below = RegistryResource()
    below.putChild(b"missing", MissingResource(misses, watched.aliases))
    root.putChild(b"minreg", below)
    root.putChild(b"livez", LiveResource())
    root.putChild(b"readyz", ReadyResource(site, watched.store, watched.disk))
    root.putChild(b"metrics", MetricsResource(site, watched.figures, misses))
    return below


def make_sites(
    store: IRegistryStore,
    disk: Disk,
    clock: IReactorTime,
    most_connections: int,
    aliases: Mapping[str, str],
    *,
    apart: bool,
) -> tuple[RegistrySite, RegistrySite]:
    """Make what serves the registry and what serves its status.

    Args:
        store: What the registry serves.
        disk: Where the store is looked at.
        clock: Measures time.
        most_connections: How many may be open at once, on each site.
        aliases: Names of the registry, each with the host that is meant by it.
        apart: Whether these are two sites; else both are the same.
    """
    figures, misses = Figures(), Misses(time)
    root = make_root(store, disk)
    site = RegistrySite(root, clock, most_connections, [figures.count, make_witness(misses)])
    status_root = RegistryResource() if apart else root
    put_status(status_root, Watched(site, store, disk, figures, misses, aliases))
    return site, RegistrySite(status_root, clock, most_connections) if apart else site
