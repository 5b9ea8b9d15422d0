"""``/v2/<name>/referrers/<digest>``."""

from minreg.errors import digest_invalid, name_unknown
from minreg.interfaces import ContentNotFound
from minreg.media_types import OCI_INDEX
from minreg.names import Digest, DigestInvalid
from minreg.store.survey import referrers_index
from minreg.web.registry.address import RepositoryAddress
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource


class ReferrersResource(RegistryResource):
    """The manifests that have another one as their subject: signatures, SBOMs, and such."""

    isLeaf = True

    def __init__(self, repository: RepositoryAddress, digest: str) -> None:
        super().__init__()
        self._repository = repository
        self._text = digest

    def render_GET(self, request: RegistryRequest) -> int:
        """Send an index of the referrers, an empty one if there are none."""
        try:
            digest = Digest.parse(self._text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        return self.answer_later(request, self._send(request, digest))

    async def _send(self, request: RegistryRequest, digest: Digest) -> None:
        try:
            referrers = await self._repository.ask(
                request, lambda repository: repository.list_referrers(digest)
            )
        except ContentNotFound:
            raise name_unknown(self._repository.name) from None
        wanted = request.args.get(b"artifactType", [b""])[0].decode("utf-8", "replace")
        if wanted:
            referrers = [found for found in referrers if found.artifact_type == wanted]
            request.setHeader(b"oci-filters-applied", b"artifactType")
        request.respond(referrers_index(referrers), OCI_INDEX.encode("ascii"))
