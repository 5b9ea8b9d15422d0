"""``/v2/<name>/blobs/<digest>``."""

from minreg.errors import RegistryError, blob_unknown, digest_invalid
from minreg.interfaces import ContentNotFound
from minreg.names import Digest, DigestInvalid
from minreg.web.registry.content import FOR_EVER, ContentResource
from minreg.web.request import RegistryRequest


class BlobResource(ContentResource):
    """A config, a layer, or other content that is no manifest."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the blob, or the part of it that the client still lacks."""
        try:
            digest = Digest.parse(self.text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        return self.answer_with(
            request,
            f"blobs/{digest}",
            lambda repository: repository.open_blob(digest),
            FOR_EVER,
        )

    def not_found(self, error: ContentNotFound) -> RegistryError:
        """Say that there is no such blob."""
        return blob_unknown(str(error), {"name": self.repository.name, "digest": self.text})
