"""``/metrics``: the figures for Prometheus.

Its client library is not loaded before somebody asks.
"""

from typing import TYPE_CHECKING

from minreg.errors import RegistryError
from minreg.web.connection.site import RegistrySite
from minreg.web.request import RegistryRequest
from minreg.web.resource import RegistryResource
from minreg.web.status.figures import Figures
from minreg.web.status.misses import Misses

if TYPE_CHECKING:
    from minreg.web.status.exposition import Exposition

_LIBRARY = "prometheus_client"


class MetricsResource(RegistryResource):
    """The figures of a site.

    Args:
        site: The site.
        figures: What it did so far.
        misses: What was missed.
    """

    isLeaf = True

    def __init__(self, site: RegistrySite, figures: Figures, misses: Misses) -> None:
        super().__init__()
        self._site = site
        self._figures = figures
        self._misses = misses
        self._exposition: Exposition | None = None

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the figures.

        Raises:
            RegistryError: The library that writes them is not installed.
        """
        if self._exposition is None:
            self._exposition = self._load()
        body, media_type = self._exposition.write(request.header(b"accept") or "")
        request.setHeader(b"cache-control", b"no-store")
        return request.respond(body, media_type.encode("ascii"))

    def _load(self) -> "Exposition":
        try:
            from minreg.web.status.exposition import Exposition, SiteCollector  # noqa: PLC0415 - see above
        except ModuleNotFoundError as error:
            if error.name != _LIBRARY:
                raise
            raise RegistryError(
                404,
                "UNSUPPORTED",
                "prometheus-client is not installed: reinstall minreg; where there is no network, "
                "from its wheels: pip install --no-index --find-links wheels minreg",
            ) from None
        return Exposition(SiteCollector(self._site, self._figures, self._misses))
