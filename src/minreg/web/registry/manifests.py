"""``/v2/<name>/manifests/<reference>``."""

from typing import Any

from minreg.errors import RegistryError, digest_invalid, manifest_unknown
from minreg.interfaces import ContentNotFound
from minreg.names import Digest, DigestInvalid, NameInvalid, parse_reference
from minreg.web.registry.content import ASK_AGAIN, FOR_EVER, ContentResource
from minreg.web.request import RegistryRequest


class ManifestResource(ContentResource):
    """A manifest or an index, by tag or by digest: the stored bytes as they are."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the manifest."""
        try:
            reference = parse_reference(self.text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        except NameInvalid as error:
            raise manifest_unknown(str(error), {"reference": self.text}) from None
        return self.answer_with(
            request,
            f"manifests/{reference}",
            lambda repository: repository.open_manifest(reference),
            FOR_EVER if isinstance(reference, Digest) else ASK_AGAIN,
        )

    def not_found(self, error: ContentNotFound) -> RegistryError:
        """Say that there is no such manifest, and for which platform it would be."""
        detail: dict[str, Any] = {"name": self.repository.name, "reference": self.text}
        if error.platform is not None:
            detail["platform"] = error.platform.as_json()
        return manifest_unknown(str(error), detail)
