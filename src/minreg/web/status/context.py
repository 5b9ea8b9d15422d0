"""Values that the status endpoints and the pages share.

A module of its own, because the pages are loaded lazily and import it too.
"""

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
    """How the daemon was started, as far as the status shows or needs it.

    Attributes:
        aliases: Names of the registry, each with the upstream host that it stands for.
        is_elsewhere: Whether the status has a site of its own (``--status-listen``).
        has_page: Whether browsers get pages.
        root: The root directory of the registry.
        workers: The number of processes.
        host_name: The name of this machine, for the page; empty if it is not to be shown.
    """

    aliases: Mapping[str, str]
    is_elsewhere: bool = False
    has_page: bool = True
    root: str = ""
    workers: int = 1
    host_name: str = ""


@attrs.frozen
class StatusContext:
    """The registry whose status is served.

    Attributes:
        site: The registry's site.
        store: The store that it serves.
        disk: Runs the store's methods in threads.
        clock: Measures time.
        metrics: The metrics of the site's requests.
        not_found: The not-found log of the site.
        totals: Counts the content of the store.
    """

    site: RegistrySite
    store: IRegistryStore
    disk: DiskIO
    clock: IReactorTime
    metrics: RequestMetrics
    not_found: NotFoundLog
    totals: TotalsCounter
