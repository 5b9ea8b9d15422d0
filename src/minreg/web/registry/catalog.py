"""``/v2/_catalog``: which repositories there are (the distribution project's extension)."""

from minreg.interfaces import IRegistryStore
from minreg.web.disk import Disk
from minreg.web.registry.paging import Page, parse_page, send_page
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource


class CatalogResource(RegistryResource):
    """The names of all repositories, in the order of their bytes, in pages."""

    isLeaf = True

    def __init__(self, store: IRegistryStore, disk: Disk) -> None:
        super().__init__()
        self._store = store
        self._disk = disk

    def render_GET(self, request: RegistryRequest) -> int:
        """Send a page of names."""
        return self.answer_later(request, self._send(request, parse_page(request)))

    async def _send(self, request: RegistryRequest, page: Page) -> None:
        names = await self._disk.run(self._store.iterate_repositories, page.last)
        taken, more = page.cut(await self._disk.take(names, page.size + 1))
        following = taken[-1] if more and taken else None
        send_page(request, "/v2/_catalog", {"repositories": taken}, page, following)
