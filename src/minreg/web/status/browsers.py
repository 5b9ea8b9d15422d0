"""Pages for browsers. All other clients get JSON at the same paths."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs

from minreg.oci.errors import RegistryError, unavailable
from minreg.store.interfaces import StoreUnavailable
from minreg.web.request import RegistryRequest, RegistryResource

CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'"
)
"""A page may load only its style sheet and its icon, a ``data:`` URL (CSP Level 3)."""

_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


View = Callable[[RegistryRequest], Awaitable[bytes]]
"""Returns a page as HTML."""


class Views(Protocol):
    """All pages. A view that cannot return a page raises ``RegistryError``."""

    async def home(self, request: RegistryRequest) -> bytes:
        """Return the page with the list of repositories."""

    async def image(self, request: RegistryRequest) -> bytes:
        """Return the page of the repository or image that the path names."""

    async def not_found(self, request: RegistryRequest) -> bytes:
        """Return the page with the not-found log."""

    async def unknown_path(self, request: RegistryRequest) -> bytes:
        """Refuse a path that has no page.

        Raises:
            RegistryError: Always.
        """

    async def error(self, request: RegistryRequest, error: RegistryError) -> bytes:
        """Return the page about an error."""


@attrs.frozen
class PageLoader:
    """Loads a page.

    Attributes:
        load: Returns all pages. The first call imports their module.
        choose: Returns one of them.
    """

    load: Callable[[], Views]
    choose: Callable[[Views], View]


class BrowserResource(RegistryResource):
    """A page for browsers, and another resource at the same path for all other clients.

    Args:
        page: The page.
        otherwise: The resource for other clients.
    """

    isLeaf = True

    def __init__(self, page: PageLoader, otherwise: RegistryResource) -> None:
        super().__init__()
        self._page = page
        self._otherwise = otherwise

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the page if the client is a browser, else the other resource's response."""
        if not is_browser(request):
            return self._otherwise.render(request)
        return self.answer_later(request, self._send_page(request))

    async def _send_page(self, request: RegistryRequest) -> None:
        views = self._page.load()
        try:
            html = await self._page.choose(views)(request)
        except StoreUnavailable as error:
            html = await self._write_error(views, request, unavailable(str(error)))
        except RegistryError as error:
            html = await self._write_error(views, request, error)
        for name, content in _HEADERS:
            request.setHeader(name, content)
        request.setHeader(b"vary", b"accept")
        request.respond(html, b"text/html; charset=utf-8")

    async def _write_error(
        self, views: Views, request: RegistryRequest, error: RegistryError
    ) -> bytes:
        request.failure = str(error)
        request.setResponseCode(error.status)
        return await views.error(request, error)


def is_browser(request: RegistryRequest) -> bool:
    """Return whether ``Accept`` has ``text/html``, which only browsers send."""
    accepted = (request.header(b"accept") or "").lower()
    offers = (offer.replace(" ", "") for offer in accepted.split(","))
    return any(
        offer.partition(";")[0] == "text/html" and not offer.endswith((";q=0", ";q=0.0"))
        for offer in offers
    )
