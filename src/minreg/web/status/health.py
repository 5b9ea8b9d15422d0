"""``/livez`` and ``/readyz``: the health endpoints, as Kubernetes' components have them.

They answer ``ok`` or an error, and with ``?verbose`` the result of each check as JSON.
"""

import json

from minreg.oci.errors import unavailable
from minreg.store.interfaces import IRegistryStore, StoreUnavailable
from minreg.web.disk import DiskIO
from minreg.web.request import RegistryRequest, RegistryResource
from minreg.web.site import RegistrySite

OK = "ok"
"""What a check says if all is well."""


class LiveResource(RegistryResource):
    """``/livez``: the process answers requests."""

    isLeaf = True

    def render_GET(self, request: RegistryRequest) -> int:
        """Send ``ok``."""
        return _send(request, {})


class ReadyResource(RegistryResource):
    """``/readyz``: the root can be read, a port is open, and the daemon is not stopping.

    Args:
        site: The registry's site. This resource may belong to another one.
        store: The store that it serves.
        disk: Runs the check of the store.
    """

    isLeaf = True

    def __init__(self, site: RegistrySite, store: IRegistryStore, disk: DiskIO) -> None:
        super().__init__()
        self._site = site
        self._store = store
        self._disk = disk

    def render_GET(self, request: RegistryRequest) -> int:
        """Run the checks, and send the result."""
        return self.answer_later(request, self._answer(request))

    async def _answer(self, request: RegistryRequest) -> None:
        _send(request, await check_readiness(self._site, self._store, self._disk))


async def check_readiness(
    site: RegistrySite, store: IRegistryStore, disk: DiskIO
) -> dict[str, str]:
    """Return the result of each check: ``ok``, or what is wrong."""
    try:
        await disk.run(store.check)
        root = OK
    except StoreUnavailable as error:
        root = str(error)
    return {
        "root": root,
        "listener": OK if site.is_listening else "no port is open",
        "draining": "the registry is stopping" if site.is_draining else OK,
    }


def _send(request: RegistryRequest, checks: dict[str, str]) -> int:
    """Send the results of the checks."""
    problems = [result for result in checks.values() if result != OK]
    request.setHeader(b"cache-control", b"no-store")
    if _is_verbose(request):
        document = {"ok": not problems, "checks": checks}
        if problems:
            request.failure = "; ".join(problems)
            request.setResponseCode(503)
        return request.respond(json.dumps(document).encode("ascii"), b"application/json")
    if problems:
        return request.refuse(unavailable("; ".join(problems)))
    return request.respond(b"ok\n", b"text/plain; charset=utf-8")


def _is_verbose(request: RegistryRequest) -> bool:
    """Return whether the query has ``verbose``. Twisted drops a parameter without a value."""
    words = request.uri.partition(b"?")[2].split(b"&")
    return b"verbose" in request.args or b"verbose" in words
