"""``/v2/<name>/manifests/<reference>``."""

from typing import Any

from minreg.errors import digest_invalid, manifest_unknown
from minreg.interfaces import ContentNotFound
from minreg.names import Digest, DigestInvalid, NameInvalid, parse_reference
from minreg.web.address import RepositoryAddress
from minreg.web.content import ASK_AGAIN, FOR_EVER, send_content
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource


class ManifestResource(RegistryResource):
    """A manifest or an index, by tag or by digest: the stored bytes as they are."""

    isLeaf = True

    def __init__(self, repository: RepositoryAddress, reference: str) -> None:
        super().__init__()
        self._repository = repository
        self._text = reference

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the manifest."""
        try:
            reference = parse_reference(self._text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        except NameInvalid as error:
            raise manifest_unknown(str(error), {"reference": self._text}) from None
        return self.answer_later(request, self._send(request, reference))

    async def _send(self, request: RegistryRequest, reference: str | Digest) -> None:
        try:
            content = await self._repository.open(
                request,
                f"manifests/{reference}",
                lambda repository: repository.open_manifest(reference),
            )
        except ContentNotFound as error:
            raise manifest_unknown(str(error), self._detail(error)) from None
        caching = FOR_EVER if isinstance(reference, Digest) else ASK_AGAIN
        await send_content(request, content, caching, self._repository.disk)

    def _detail(self, error: ContentNotFound) -> dict[str, Any]:
        detail: dict[str, Any] = {"name": self._repository.name, "reference": self._text}
        if error.platform is not None:
            detail["platform"] = error.platform.as_json()
        return detail
