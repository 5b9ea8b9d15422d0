"""The upstream registries of one run, each made when it is first needed."""

from collections.abc import Iterable, Mapping
from threading import Lock

from minreg.fill.upstream.addresses import base_url
from minreg.fill.upstream.credentials import find_credentials
from minreg.fill.upstream.registry import Upstream
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.tokens import Authorizer
from minreg.fill.upstream.transport import Transport


class Upstreams:
    """Gives the registry at an address, the same to every thread.

    Args:
        transport: The way there.
        retries: How often to ask.
        environment: The process's environment, which says where accounts are kept.
        plain_http: Hosts that talk plain HTTP, as ``parse_host`` spells them.
    """

    def __init__(
        self,
        transport: Transport,
        retries: Retries,
        environment: Mapping[str, str],
        plain_http: Iterable[str] = (),
    ) -> None:
        self._transport = transport
        self._retries = retries
        self._environment = environment
        self._plain_http = frozenset(plain_http)
        self._known: dict[str, Upstream] = {}
        self._mutex = Lock()

    def find(self, address: str) -> Upstream:
        """Give the registry at an address: a host, with each port that it was named with."""
        with self._mutex:
            if address not in self._known:
                url = base_url(address, self._plain_http)
                authorizer = Authorizer(
                    self._transport,
                    url,
                    lambda repository: find_credentials(address, repository, self._environment),
                )
                self._known[address] = Upstream(url, self._transport, authorizer, self._retries)
            return self._known[address]
