"""How an image of this registry is named by those who pull it."""

from collections.abc import Mapping

import attrs

from minreg.names import NameInvalid, is_host, parse_host
from minreg.web.request import RegistryRequest


@attrs.frozen
class PullNames:
    """The registry's host and the repository there, and where this registry listens.

    A repository that is kept without its registry's host is pulled by this registry's own
    name: nobody knows any more which host it came from.
    """

    host: str
    path: str
    url: str

    @property
    def registries_yaml(self) -> str:
        """The entry that K3s needs to look here."""
        return f'mirrors:\n  "{self.host}":\n    endpoint:\n      - "{self.url}"'


def pull_names(repository: str, aliases: Mapping[str, str], url: str) -> PullNames:
    """Name a repository as it is pulled.

    Args:
        repository: Its name in the store.
        aliases: Names of this registry, each with the host that is meant by it.
        url: Where this registry listens.
    """
    first, _, rest = repository.partition("/")
    if rest and is_host(first):
        return PullNames(first, rest, url)
    alias = next(iter(aliases), "") or url.partition("://")[2]
    return PullNames(alias, repository, url)


def url_of(request: RegistryRequest, otherwise: str) -> str:
    """Tell by which URL a browser came here, if that is one that others can use as well."""
    host = request.header(b"host") or ""
    try:
        parse_host(host)
    except NameInvalid:
        return otherwise
    return f"{'https' if request.isSecure() else 'http'}://{host}"
