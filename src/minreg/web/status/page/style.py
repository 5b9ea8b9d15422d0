"""What pages look like."""

import importlib.resources
from functools import cache

from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource


class StyleResource(RegistryResource):
    """The style sheet of all pages."""

    isLeaf = True

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the style sheet."""
        request.setHeader(b"cache-control", b"max-age=3600")
        request.setHeader(b"x-content-type-options", b"nosniff")
        return request.respond(_read_style(), b"text/css; charset=utf-8")


@cache
def _read_style() -> bytes:
    return importlib.resources.files(__package__).joinpath("style.css").read_bytes()
