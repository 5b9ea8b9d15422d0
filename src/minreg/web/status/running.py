"""``/minreg/status``: the state of the registry as JSON, for ``minreg status`` and programs."""

import json
from collections.abc import Callable

from minreg import __version__
from minreg.web.request import RegistryRequest, RegistryResource
from minreg.web.status.context import StatusContext, StatusOptions
from minreg.web.status.formats import format_time
from minreg.web.status.health import OK, check_readiness
from minreg.web.status.totals import FIRST_COUNT_TIMEOUT, RegistryTotals


class StatusResource(RegistryResource):
    """The state of a registry, as a JSON document.

    A request checks the root, and gets the numbers that ``TotalsCounter`` counts in the
    background. It waits for at most ``FIRST_COUNT_TIMEOUT`` seconds for the first count; until
    that is complete, the document has the numbers so far.

    Args:
        context: The registry.
        options: How the daemon was started.
        now: Returns the time in seconds since the epoch.
    """

    isLeaf = True

    def __init__(
        self, context: StatusContext, options: StatusOptions, now: Callable[[], float]
    ) -> None:
        super().__init__()
        self._context = context
        self._options = options
        self._started = now()
        self._started_clock = context.clock.seconds()

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the document. The status is 200 even if the registry is not ready."""
        return self.answer_later(request, self._answer(request))

    async def _answer(self, request: RegistryRequest) -> None:
        context, options = self._context, self._options
        checks = await check_readiness(context.site, context.store, context.disk)
        totals = await self._count() if checks["root"] == OK else None
        document = {
            "version": __version__,
            "root": options.root,
            "started": format_time(self._started),
            "uptime_seconds": int(context.clock.seconds() - self._started_clock),
            "listeners": list(context.site.listeners),
            "workers": options.workers,
            "ready": all(result == OK for result in checks.values()),
            "checks": checks,
            "repositories": None if totals is None else totals.repositories,
            "images": None if totals is None else totals.images,
            "counts_complete": totals is not None and totals.is_complete,
            "missing": len(context.not_found),
            "connections": context.site.connections,
            "transfers": context.site.transfers,
        }
        request.setHeader(b"cache-control", b"no-store")
        request.respond(
            json.dumps(document, indent=1).encode("ascii") + b"\n", b"application/json"
        )

    async def _count(self) -> RegistryTotals | None:
        """Return the last totals, or else those so far; None if the store cannot be read."""
        counter = self._context.totals
        return await counter.fetch(FIRST_COUNT_TIMEOUT) or counter.progress
