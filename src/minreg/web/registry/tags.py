"""``/v2/<name>/tags/list``."""

from minreg.errors import name_unknown
from minreg.interfaces import ContentNotFound
from minreg.web.registry.address import RepositoryAddress
from minreg.web.registry.paging import Page, parse_page, send_page
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource


class TagsResource(RegistryResource):
    """The tags of a repository, in the order of their bytes, in pages."""

    isLeaf = True

    def __init__(self, repository: RepositoryAddress) -> None:
        super().__init__()
        self._repository = repository

    def render_GET(self, request: RegistryRequest) -> int:
        """Send a page of tags."""
        return self.answer_later(request, self._send(request, parse_page(request)))

    async def _send(self, request: RegistryRequest, page: Page) -> None:
        try:
            tags = await self._repository.ask(request, lambda repository: repository.list_tags())
        except ContentNotFound:
            raise name_unknown(self._repository.name) from None
        taken, more = page.cut(tag for tag in tags if tag > page.last)
        name = self._repository.name
        following = taken[-1] if more and taken else None
        send_page(request, f"/v2/{name}/tags/list", {"name": name, "tags": taken}, page, following)
