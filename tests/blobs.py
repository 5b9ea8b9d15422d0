"""A registry with one small layer, for tests of responses with blobs."""

from minreg.oci.names import Digest
from tests.support import Response, WebTestCase

LAYER = b"0123456789"
DIGEST = Digest.of(LAYER)
TAG = f'"{DIGEST}"'


class BlobTestCase(WebTestCase):
    """A registry with an image that has one small layer."""

    def setUp(self) -> None:
        """Add the image to the tree."""
        super().setUp()
        self.manifest = self.tree.add_image("rancher/pause", "3.6", LAYER)
        self.path = f"/v2/rancher/pause/blobs/{DIGEST}"

    def get(self, **headers: str) -> Response:
        """Request the layer; underscores in the names of headers stand for hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request(self.path, headers=named)
