"""The tree of URLs: ``/v2/``, the repositories below it, and what each of them offers.

A repository's name has any number of parts, and any of them may be called ``blobs`` or
``manifests``: what a path asks for is told by its end.
"""

from functools import partial

from minreg.errors import RegistryError, name_invalid, not_an_endpoint
from minreg.interfaces import IRegistryStore
from minreg.names import NameInvalid, parse_host, parse_repository
from minreg.web.disk import Disk
from minreg.web.registry.address import RepositoryAddress
from minreg.web.registry.blobs import BlobResource
from minreg.web.registry.catalog import CatalogResource
from minreg.web.registry.manifests import ManifestResource
from minreg.web.registry.referrers import ReferrersResource
from minreg.web.registry.tags import TagsResource
from minreg.web.request import RegistryRequest
from minreg.web.resource import RefusingResource, RegistryResource

_ENDPOINTS = frozenset({b"manifests", b"blobs", b"tags", b"referrers"})


class RegistryAPI(RegistryResource):
    """``/v2/``: the registry speaks the specification; and everything below."""

    def __init__(self, store: IRegistryStore, disk: Disk) -> None:
        super().__init__()
        self._store = store
        self._disk = disk

    def render_GET(self, request: RegistryRequest) -> int:
        """Say that this is a registry."""
        return request.respond(b"{}", b"application/json")

    def getChild(self, path: bytes, request: RegistryRequest) -> RegistryResource:
        """Find the repository that a path names, or what else it names."""
        below = [path, *request.postpath]
        if below == [b""]:
            return self
        try:
            namespace = parse_namespace(request)
            if below == [b"_catalog"]:
                return CatalogResource(self._store, self._disk)
            if len(below) < 3 or below[-2] not in _ENDPOINTS:
                raise not_an_endpoint()
            *name, endpoint, reference = below
            repository = _parse_name(name)
        except RegistryError as error:
            # The error that was raised here ends here: it holds this request in its traceback.
            same = (error.status, error.code, error.message, error.detail)
            return RefusingResource(partial(RegistryError, *same))
        address = RepositoryAddress(self._store, self._disk, namespace, repository)
        return _find_leaf(address, endpoint, reference.decode("utf-8", "backslashreplace"))


def make_root(store: IRegistryStore, disk: Disk) -> RegistryResource:
    """Build the tree of URLs over a store."""
    root = RegistryResource()
    root.putChild(b"v2", RegistryAPI(store, disk))
    return root


def parse_namespace(request: RegistryRequest) -> str | None:
    """Read which upstream registry a client means (distribution-spec, "Registry Proxying").

    Raises:
        RegistryError: There are several, or one that is no host.
    """
    given = request.args.get(b"ns", [])
    if not given:
        return None
    request.namespace = given[0].decode("utf-8", "backslashreplace")
    if len(given) > 1:
        raise name_invalid("ns is given more than once")
    try:
        return parse_host(request.namespace)
    except NameInvalid as error:
        raise name_invalid(f"ns {error}") from None


def _find_leaf(address: RepositoryAddress, endpoint: bytes, reference: str) -> RegistryResource:
    """Find what the last two parts of a path name in a repository."""
    if endpoint == b"manifests":
        return ManifestResource(address, reference)
    if endpoint == b"blobs":
        return BlobResource(address, reference)
    if endpoint == b"referrers":
        return ReferrersResource(address, reference)
    if reference == "list":
        return TagsResource(address)
    return RefusingResource(not_an_endpoint)


def _parse_name(parts: list[bytes]) -> str:
    try:
        return parse_repository(b"/".join(parts).decode("utf-8", "backslashreplace"))
    except NameInvalid as error:
        raise name_invalid(str(error)) from None
