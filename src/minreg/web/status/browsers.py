"""Pages for people. Only browsers get them: registry clients get JSON at the same paths."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs

from minreg.oci.errors import RegistryError, unavailable
from minreg.store.interfaces import StoreUnavailable
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource

CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load: its style sheet, and its icon, a ``data:`` URL (CSP Level 3)."""

_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


View = Callable[[RegistryRequest], Awaitable[bytes]]
"""Returns a page, as HTML."""


class Views(Protocol):
    """All pages."""

    async def home(self, request: RegistryRequest) -> bytes:
        """Return the page of all repositories."""

    async def image(self, request: RegistryRequest) -> bytes:
        """Return the page of the repository or image that the path names."""

    async def missing(self, request: RegistryRequest) -> bytes:
        """Return the page of what was not found."""

    async def not_found(self, request: RegistryRequest) -> bytes:
        """Refuse a path that leads to no page.

        Raises:
            RegistryError: Always.
        """

    async def problem(self, request: RegistryRequest, error: RegistryError) -> bytes:
        """Return the page for an error."""


@attrs.frozen
class PageLoader:
    """A page.

    Attributes:
        load: Returns all pages; the module is loaded at the first call.
        choose: Returns this one.
    """

    load: Callable[[], Views]
    choose: Callable[[Views], View]


class BrowserResource(RegistryResource):
    """A resource that is a page for browsers, and another resource for other clients.

    Args:
        page: The page.
        otherwise: The other resource.
    """

    isLeaf = True

    def __init__(self, page: PageLoader, otherwise: RegistryResource) -> None:
        super().__init__()
        self._page = page
        self._otherwise = otherwise

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the page to a browser."""
        if not is_browser(request):
            return self._otherwise.render(request)
        return self.answer_later(request, self._show(request))

    async def _show(self, request: RegistryRequest) -> None:
        views = self._page.load()
        try:
            html = await self._page.choose(views)(request)
        except StoreUnavailable as error:
            html = await self._show_problem(views, request, unavailable(str(error)))
        except RegistryError as error:
            html = await self._show_problem(views, request, error)
        for name, content in _HEADERS:
            request.setHeader(name, content)
        request.setHeader(b"vary", b"accept")
        request.respond(html, b"text/html; charset=utf-8")

    async def _show_problem(
        self, views: Views, request: RegistryRequest, error: RegistryError
    ) -> bytes:
        request.failure = str(error)
        request.setResponseCode(error.status)
        return await views.problem(request, error)


def is_browser(request: RegistryRequest) -> bool:
    """Return whether a client accepts HTML by name, which only browsers do."""
    accepted = (request.header(b"accept") or "").lower()
    offers = (offer.replace(" ", "") for offer in accepted.split(","))
    return any(
        offer.partition(";")[0] == "text/html" and not offer.endswith((";q=0", ";q=0.0"))
        for offer in offers
    )
