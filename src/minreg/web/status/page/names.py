"""How an image of this registry is named by those who pull it, and the commands that do."""

import ipaddress
from collections.abc import Iterator, Mapping

import attrs

from minreg.names import Digest, NameInvalid, is_host, parse_host
from minreg.web.request import RegistryRequest
from minreg.web.status.wanted import join_reference

_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class RegistryAddress:
    """Where the registry is reached.

    ``scheme`` is ``http`` or ``https``; ``host`` has a port if it is not the scheme's own.
    """

    scheme: str
    host: str

    @classmethod
    def parse(cls, url: str) -> "RegistryAddress":
        """Read the URL of a registry."""
        scheme, _, host = url.partition("://")
        return cls(scheme, host)

    @property
    def url(self) -> str:
        """The URL of the registry."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_plain(self) -> bool:
        """Whether the registry is reached without TLS."""
        return self.scheme == "http"

    @property
    def image_host(self) -> str:
        """The host as the first part of an image's name, where one without a dot needs a port."""
        return self.host if is_host(self.host) else f"{self.host}:{_PORTS[self.scheme]}"

    @property
    def is_loopback(self) -> bool:
        """Whether only clients on the same machine reach it; Docker trusts such a registry."""
        name = self.host.rpartition("]")[0].removeprefix("[") or self.host.partition(":")[0]
        try:
            return ipaddress.ip_address(name).is_loopback
        except ValueError:
            return name.lower() == "localhost"


@attrs.frozen
class PullNames:
    """The registry's host and the repository there, and where this registry listens.

    A repository that is kept without its registry's host is pulled by this registry's own
    name: nobody knows any more which host it came from. ``repository`` is its name in the store.
    """

    repository: str
    host: str
    path: str
    address: RegistryAddress

    @property
    def registries_yaml(self) -> str:
        """The entry that K3s needs to look here."""
        return f'mirrors:\n  "{self.host}":\n    endpoint:\n      - "{self.address.url}"'

    @property
    def docker_daemon_json(self) -> str:
        """What Docker needs in its configuration to pull without TLS; empty if nothing."""
        if not self.address.is_plain or self.address.is_loopback:
            return ""
        return f'{{"insecure-registries": ["{self.address.image_host}"]}}'

    def commands(self, reference: str | Digest, *, is_artifact: bool) -> Iterator[str]:
        """Write the commands that pull an image by this registry's address.

        Args:
            reference: Its tag or digest.
            is_artifact: Whether it is no image that a container runtime takes.
        """
        image = f"{self.address.image_host}/{join_reference(self.repository, reference)}"
        file = f"{self.repository.rpartition('/')[2]}.tar"
        plain = " --src-tls-verify=false" if self.address.is_plain else ""
        yield f"skopeo copy{plain} docker://{image} oci-archive:{file}"
        if is_artifact:
            yield f"oras pull{' --plain-http' if self.address.is_plain else ''} {image}"
            return
        yield f"ctr images pull{' --plain-http' if self.address.is_plain else ''} {image}"
        yield f"docker pull {image}"


def pull_names(repository: str, aliases: Mapping[str, str], address: RegistryAddress) -> PullNames:
    """Name a repository as it is pulled.

    Args:
        repository: Its name in the store.
        aliases: Names of this registry, each with the host that is meant by it.
        address: Where this registry listens.
    """
    first, _, rest = repository.partition("/")
    if rest and is_host(first):
        return PullNames(repository, first, rest, address)
    alias = next(iter(aliases), "") or address.host
    return PullNames(repository, alias, repository, address)


def address_of(request: RegistryRequest, otherwise: str) -> RegistryAddress:
    """Find the address by which a browser came here, if that is one that others can use as well.

    Args:
        request: The browser's request.
        otherwise: The URL to use if the request's ``Host`` is no host name or address.
    """
    host = request.header(b"host") or ""
    try:
        parse_host(host)
    except NameInvalid:
        return RegistryAddress.parse(otherwise)
    return RegistryAddress("https" if request.isSecure() else "http", host)
