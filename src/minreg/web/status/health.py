"""``/livez`` and ``/readyz``: whether the daemon lives, and whether to send it clients.

As Kubernetes' own components have them: ``ok`` or not, and detail with ``?verbose``.
"""

import json

from minreg.oci.errors import unavailable
from minreg.store.interfaces import IRegistryStore, StoreUnavailable
from minreg.web.disk import DiskIO
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.site import RegistrySite

OK = "ok"
"""What a check says if all is well."""


class LiveResource(RegistryResource):
    """It lives if it answers."""

    isLeaf = True

    def render_GET(self, request: RegistryRequest) -> int:
        """Answer."""
        return _send(request, {})


class ReadyResource(RegistryResource):
    """It is ready if its root can be read, a port leads to it, and it is not stopping.

    Args:
        site: The site in question, which need not be the one that is asked.
        store: What it serves.
        disk: Where the root is looked at.
    """

    isLeaf = True

    def __init__(self, site: RegistrySite, store: IRegistryStore, disk: DiskIO) -> None:
        super().__init__()
        self._site = site
        self._store = store
        self._disk = disk

    def render_GET(self, request: RegistryRequest) -> int:
        """Look, and answer."""
        return self.answer_later(request, self._answer(request))

    async def _answer(self, request: RegistryRequest) -> None:
        _send(request, await check_readiness(self._site, self._store, self._disk))


async def check_readiness(
    site: RegistrySite, store: IRegistryStore, disk: DiskIO
) -> dict[str, str]:
    """Return what came of each check: ``ok``, or what is wrong."""
    try:
        await disk.run(store.check)
        root = OK
    except StoreUnavailable as error:
        root = str(error)
    return {
        "root": root,
        "listener": OK if site.is_listening else "no port leads here",
        "draining": "the registry is stopping" if site.is_draining else OK,
    }


def _send(request: RegistryRequest, checks: dict[str, str]) -> int:
    """Send what came of some checks."""
    problems = [found for found in checks.values() if found != OK]
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
    """Tell whether the query has the word; Twisted leaves out words without a value."""
    words = request.uri.partition(b"?")[2].split(b"&")
    return b"verbose" in request.args or b"verbose" in words
