"""``/livez`` and ``/readyz``: the health endpoints, as Kubernetes' components have them.

They answer ``ok`` or an error, and with ``?verbose`` the result of each check as JSON.
"""

import json

from minreg.oci.errors import unavailable
from minreg.store.interfaces import IRegistryStore, StoreUnavailable
from minreg.web.disk import DiskIO
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.site import RegistrySite

_OK = "ok"


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
        _send(
            request,
            {
                "root": await self._check_root(),
                "listener": _OK if self._site.is_listening else "no port is open",
                "draining": "the registry is stopping" if self._site.is_draining else _OK,
            },
        )

    async def _check_root(self) -> str:
        try:
            await self._disk.run(self._store.check)
        except StoreUnavailable as error:
            return str(error)
        return _OK


def _send(request: RegistryRequest, checks: dict[str, str]) -> int:
    """Send the results of the checks."""
    problems = [result for result in checks.values() if result != _OK]
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
