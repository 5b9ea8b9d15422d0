"""``/v2/<name>/blobs/<digest>``."""

from minreg.errors import blob_unknown, digest_invalid
from minreg.interfaces import ContentNotFound
from minreg.names import Digest, DigestInvalid
from minreg.web.address import RepositoryAddress
from minreg.web.content import FOR_EVER, send_content
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource


class BlobResource(RegistryResource):
    """A config, a layer, or other content that is no manifest."""

    isLeaf = True

    def __init__(self, repository: RepositoryAddress, digest: str) -> None:
        super().__init__()
        self._repository = repository
        self._text = digest

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the blob, or the part of it that the client still lacks."""
        try:
            digest = Digest.parse(self._text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        return self.answer_later(request, self._send(request, digest))

    async def _send(self, request: RegistryRequest, digest: Digest) -> None:
        try:
            content = await self._repository.open(
                request, f"blobs/{digest}", lambda repository: repository.open_blob(digest)
            )
        except ContentNotFound as error:
            detail = {"name": self._repository.name, "digest": self._text}
            raise blob_unknown(str(error), detail) from None
        await send_content(request, content, FOR_EVER, self._repository.disk)
