"""Lists in pages (distribution-spec, "Listing Tags"): ``n`` items behind ``last``."""

import json
from collections.abc import Iterable
from itertools import islice
from urllib.parse import urlencode

import attrs

from minreg.errors import page_invalid
from minreg.web.request import RegistryRequest

LARGEST_PAGE = 10_000
"""Items of one page, whatever the client asks for."""


@attrs.frozen
class Page:
    """How many items a client wants, and behind which one."""

    size: int
    last: str

    def cut(self, items: Iterable[str]) -> tuple[list[str], bool]:
        """Take the page out of items that begin behind ``last``; tell whether more are left."""
        taken = list(islice(items, self.size + 1))
        return taken[: self.size], len(taken) > self.size


def parse_page(request: RegistryRequest) -> Page:
    """Read ``n`` and ``last`` from a request's query.

    Raises:
        RegistryError: ``n`` is no number.
    """
    last = request.args.get(b"last", [b""])[-1].decode("utf-8", "replace")
    size = request.args.get(b"n", [b"%d" % LARGEST_PAGE])[-1]
    if not size.isdigit():
        raise page_invalid("n is how many items a page may have: 0, 1, 2 and so on")
    return Page(LARGEST_PAGE if len(size) > 5 else min(int(size), LARGEST_PAGE), last)


def send_page(
    request: RegistryRequest,
    path: str,
    document: dict[str, object],
    page: Page,
    following: str | None,
) -> int:
    """Send a page as JSON.

    Args:
        request: The request, whose namespace the next page shares.
        path: The list's path.
        document: What the page says.
        page: What was asked for.
        following: The last item of this page, if more are left behind it.
    """
    if following is not None and page.size:
        query = {"n": str(page.size), "last": following}
        if request.namespace:
            query["ns"] = request.namespace
        link = f'<{path}?{urlencode(query)}>; rel="next"'
        request.setHeader(b"link", link.encode("ascii"))
    return request.respond(json.dumps(document).encode("ascii"), b"application/json")
