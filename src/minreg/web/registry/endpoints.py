"""The endpoints of the registry API, below ``/v2/``.

A repository's name may itself contain ``/blobs/`` or ``/manifests/``, so the endpoint is decided
by the part of the path before the last one. Source: OCI distribution-spec, "Endpoints"; the
catalog is from the distribution project.
"""

import json
from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import attrs

from minreg.oci.errors import (
    RegistryError,
    blob_unknown,
    digest_invalid,
    manifest_unknown,
    name_invalid,
    name_unknown,
    not_an_endpoint,
    page_invalid,
)
from minreg.oci.names import (
    OCI_INDEX,
    Digest,
    DigestInvalid,
    NameInvalid,
    parse_host,
    parse_reference,
    parse_repository,
)
from minreg.store.index import referrers_index
from minreg.store.interfaces import ContentNotFound, IRegistryStore
from minreg.web.disk import DiskIO
from minreg.web.registry.content import (
    IMMUTABLE,
    REVALIDATE,
    RepositoryAddress,
    send_content,
)
from minreg.web.request import RefusingResource, RegistryRequest, RegistryResource


class _ReferenceResource(RegistryResource):
    """A resource that a tag or digest names in a repository.

    Args:
        repository: The repository.
        text: The tag or digest, as the request has it.
    """

    isLeaf = True

    def __init__(self, repository: RepositoryAddress, text: str) -> None:
        super().__init__()
        self._repository = repository
        self._text = text

    def _detail(self, key: str, error: ContentNotFound) -> dict[str, Any]:
        """Return the detail of an error, with the content's platform if that is known."""
        detail: dict[str, Any] = {"name": self._repository.name, key: self._text}
        if error.platform is not None:
            detail["platform"] = error.platform.as_json()
        return detail


class BlobResource(_ReferenceResource):
    """``/v2/<name>/blobs/<digest>``: a config, a layer, or other content."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the blob, or the part of it that the client asks for."""
        return self.answer_later(request, self._send(request, _parse_digest(self._text)))

    async def _send(self, request: RegistryRequest, digest: Digest) -> None:
        repository = self._repository
        try:
            content = await repository.fetch(request, repository.store.open_blob, digest)
        except ContentNotFound as error:
            detail = self._detail("digest", error)
            raise blob_unknown(str(error), detail) from None
        await send_content(request, content, IMMUTABLE, repository.disk)


class ManifestResource(_ReferenceResource):
    """``/v2/<name>/manifests/<reference>``: a manifest or an index, by tag or by digest."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the stored bytes as they are."""
        try:
            reference = parse_reference(self._text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        except NameInvalid as error:
            raise manifest_unknown(str(error), {"reference": self._text}) from None
        return self.answer_later(request, self._send(request, reference))

    async def _send(self, request: RegistryRequest, reference: str | Digest) -> None:
        repository = self._repository
        try:
            content = await repository.fetch(request, repository.store.open_manifest, reference)
        except ContentNotFound as error:
            raise manifest_unknown(str(error), self._detail("reference", error)) from None
        cache_control = IMMUTABLE if isinstance(reference, Digest) else REVALIDATE
        await send_content(request, content, cache_control, repository.disk)


def _parse_digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except DigestInvalid as error:
        raise digest_invalid(str(error)) from None


LARGEST_PAGE = 10_000
"""The largest number of items in a page, whatever the client requests."""


@attrs.frozen
class ListPage:
    """The pagination parameters of a request.

    Attributes:
        size: How many items the page may have.
        last: The item after which the page begins; empty for the first page.
    """

    size: int
    last: str

    def cut(self, items: Iterable[str]) -> tuple[list[str], bool]:
        """Return the page, and whether more items follow it.

        Args:
            items: The items after ``last``.
        """
        first = list(islice(items, self.size + 1))
        return first[: self.size], len(first) > self.size


def parse_page(request: RegistryRequest) -> ListPage:
    """Parse ``n`` and ``last`` in a request's query.

    Raises:
        RegistryError: ``n`` is not a number.
    """
    last = request.args.get(b"last", [b""])[-1].decode("utf-8", "replace")
    size = request.args.get(b"n", [b"%d" % LARGEST_PAGE])[-1]
    if not size.isdigit():
        raise page_invalid("n is the number of items in a page: use 0, 1, 2 and so on")
    return ListPage(LARGEST_PAGE if len(size) > 5 else min(int(size), LARGEST_PAGE), last)


def send_page(
    request: RegistryRequest,
    path: str,
    document: dict[str, object],
    page: ListPage,
    following: str | None,
) -> int:
    """Send a page as JSON.

    Args:
        request: The request. The link to the next page has the same namespace.
        path: The path of the list.
        document: The page.
        page: The pagination parameters.
        following: The last item of this page, if more items follow it.
    """
    if following is not None and page.size:
        query = {"n": str(page.size), "last": following}
        if request.namespace:
            query["ns"] = request.namespace
        link = f'<{path}?{urlencode(query)}>; rel="next"'
        request.setHeader(b"link", link.encode("ascii"))
    return request.respond(json.dumps(document).encode("ascii"), b"application/json")


class TagsResource(RegistryResource):
    """``/v2/<name>/tags/list``: the tags of a repository, in the order of their bytes."""

    isLeaf = True

    def __init__(self, repository: RepositoryAddress) -> None:
        super().__init__()
        self._repository = repository

    def render_GET(self, request: RegistryRequest) -> int:
        """Send a page of tags."""
        return self.answer_later(request, self._send(request, parse_page(request)))

    async def _send(self, request: RegistryRequest, page: ListPage) -> None:
        try:
            tags = await self._repository.fetch(request, self._repository.store.list_tags)
        except ContentNotFound:
            raise name_unknown(self._repository.name) from None
        items, has_more = page.cut(tag for tag in tags.items if tag > page.last)
        name = self._repository.name
        following = items[-1] if has_more and items else None
        send_page(request, f"/v2/{name}/tags/list", {"name": name, "tags": items}, page, following)


class ReferrersResource(_ReferenceResource):
    """``/v2/<name>/referrers/<digest>``: the manifests whose subject is ``digest``."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Send an index of the referrers, which is empty if there are none."""
        return self.answer_later(request, self._send(request, _parse_digest(self._text)))

    async def _send(self, request: RegistryRequest, digest: Digest) -> None:
        repository = self._repository
        try:
            listing = await repository.fetch(request, repository.store.list_referrers, digest)
        except ContentNotFound:
            raise name_unknown(repository.name) from None
        referrers = listing.items
        artifact_type = request.args.get(b"artifactType", [b""])[0].decode("utf-8", "replace")
        if artifact_type:
            referrers = [item for item in referrers if item.artifact_type == artifact_type]
            request.setHeader(b"oci-filters-applied", b"artifactType")
        request.respond(referrers_index(referrers), OCI_INDEX.encode("ascii"))


class CatalogResource(RegistryResource):
    """``/v2/_catalog``: the names of all repositories, in the order of their bytes."""

    isLeaf = True

    def __init__(self, store: IRegistryStore, disk: DiskIO) -> None:
        super().__init__()
        self._store = store
        self._disk = disk

    def render_GET(self, request: RegistryRequest) -> int:
        """Send a page of names."""
        return self.answer_later(request, self._send(request, parse_page(request)))

    async def _send(self, request: RegistryRequest, page: ListPage) -> None:
        names = await self._disk.run(self._store.iterate_repositories, page.last)
        items, has_more = page.cut(await self._disk.fetch_batch(names, page.size + 1))
        following = items[-1] if has_more and items else None
        send_page(request, "/v2/_catalog", {"repositories": items}, page, following)


_ENDPOINTS = frozenset({b"manifests", b"blobs", b"tags", b"referrers"})


class RegistryAPI(RegistryResource):
    """``/v2/``, and everything below it."""

    def __init__(self, store: IRegistryStore, disk: DiskIO) -> None:
        super().__init__()
        self._store = store
        self._disk = disk

    def render_GET(self, request: RegistryRequest) -> int:
        """Confirm that this is a registry."""
        return request.respond(b"{}", b"application/json")

    def getChild(self, path: bytes, request: RegistryRequest) -> RegistryResource:
        """Return the resource for the rest of a path."""
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
            # The exception itself is not kept, because its traceback refers to the request.
            same = (error.status, error.code, error.message, error.detail)
            return RefusingResource(partial(RegistryError, *same))
        address = RepositoryAddress(self._store, self._disk, namespace, repository)
        return _find_leaf(address, endpoint, reference.decode("utf-8", "backslashreplace"))


def make_root(store: IRegistryStore, disk: DiskIO) -> RegistryResource:
    """Return the root resource of a registry over a store."""
    root = RegistryResource()
    root.putChild(b"v2", RegistryAPI(store, disk))
    return root


def parse_namespace(request: RegistryRequest) -> str | None:
    """Return the upstream registry that a client means, None if it names none.

    Source: distribution-spec, "Registry Proxying".

    Raises:
        RegistryError: The query names several, or one that is not a host.
    """
    values = request.args.get(b"ns", [])
    if not values:
        return None
    request.namespace = values[0].decode("utf-8", "backslashreplace")
    if len(values) > 1:
        raise name_invalid("ns is given more than once")
    try:
        return parse_host(request.namespace)
    except NameInvalid as error:
        raise name_invalid(f"ns {error}") from None


def _find_leaf(address: RepositoryAddress, endpoint: bytes, reference: str) -> RegistryResource:
    """Return the resource that the last two parts of a path name."""
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
