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
    """How the status is served.

    Attributes:
        aliases: Names of the registry, each with the upstream host that it stands for.
        is_elsewhere: Whether the status has a site of its own (``--status-listen``).
        has_page: Whether there are pages for people.
        root: The directory that is served.
        workers: How many processes serve it.
        host_name: The name of this machine, for people; empty if it is not to be shown.
    """

    aliases: Mapping[str, str]
    is_elsewhere: bool = False
    has_page: bool = True
    root: str = ""
    workers: int = 1
    host_name: str = ""


@attrs.frozen
class StatusContext:
    """What the status is about.

    Attributes:
        site: The registry's site.
        store: The store that it serves.
        disk: Runs the store's methods.
        clock: Measures time.
        figures: The counts of the site's requests.
        misses: The log of what was not found.
        totals: Counts what the store holds.
    """

    site: RegistrySite
    store: IRegistryStore
    disk: DiskIO
    clock: IReactorTime
    figures: RequestMetrics
    misses: NotFoundLog
    totals: TotalsCounter
