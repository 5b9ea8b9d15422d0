"""What of a registry's status is served, and what there is to be told."""

from collections.abc import Mapping

import attrs
from twisted.internet.interfaces import IReactorTime

from minreg.store.interfaces import IRegistryStore
from minreg.web.disk import DiskIO
from minreg.web.site import RegistrySite
from minreg.web.status.not_found import NotFoundLog
from minreg.web.status.request_metrics import RequestMetrics
from minreg.web.status.totals import TotalsCounter


@attrs.frozen
class StatusOptions:
    """What of the registry's status is served, and where.

    ``aliases`` are names of the registry, each with the host that is meant by it;
    ``is_elsewhere`` tells that status has a site of its own; ``root`` is the directory that
    is served, ``workers`` how many processes serve it, and ``host_name`` the name of this
    machine, for people; empty if not to be shown.
    """

    aliases: Mapping[str, str]
    is_elsewhere: bool = False
    has_page: bool = True
    root: str = ""
    workers: int = 1
    host_name: str = ""


@attrs.frozen
class StatusContext:
    """What there is to be looked at: a site, what it serves, what it did and missed."""

    site: RegistrySite
    store: IRegistryStore
    disk: DiskIO
    clock: IReactorTime
    figures: RequestMetrics
    misses: NotFoundLog
    totals: TotalsCounter
