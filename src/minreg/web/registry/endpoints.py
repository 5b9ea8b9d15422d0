"""``/v2/<name>/blobs/<digest>``."""

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
from minreg.web.registry.content import ASK_AGAIN, FOR_EVER, ContentResource, RepositoryRequest
from minreg.web.request import RegistryRequest
from minreg.web.resource import RefusingResource, RegistryResource


class BlobResource(ContentResource):
    """A config, a layer, or other content that is no manifest."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the blob, or the part of it that the client still lacks."""
        try:
            digest = Digest.parse(self.text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        return self.answer_with(
            request,
            f"blobs/{digest}",
            lambda repository: repository.open_blob(digest),
            FOR_EVER,
        )

    def not_found(self, error: ContentNotFound) -> RegistryError:
        """Say that there is no such blob."""
        return blob_unknown(str(error), {"name": self.repository.name, "digest": self.text})


class ManifestResource(ContentResource):
    """A manifest or an index, by tag or by digest: the stored bytes as they are."""

    def render_GET(self, request: RegistryRequest) -> int:
        """Send the manifest."""
        try:
            reference = parse_reference(self.text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        except NameInvalid as error:
            raise manifest_unknown(str(error), {"reference": self.text}) from None
        return self.answer_with(
            request,
            f"manifests/{reference}",
            lambda repository: repository.open_manifest(reference),
            FOR_EVER if isinstance(reference, Digest) else ASK_AGAIN,
        )

    def not_found(self, error: ContentNotFound) -> RegistryError:
        """Say that there is no such manifest, and for which platform it would be."""
        detail: dict[str, Any] = {"name": self.repository.name, "reference": self.text}
        if error.platform is not None:
            detail["platform"] = error.platform.as_json()
        return manifest_unknown(str(error), detail)


LARGEST_PAGE = 10_000
"""Items of one page, whatever the client asks for."""


@attrs.frozen
class ListPage:
    """How many items a client wants, and behind which one."""

    size: int
    last: str

    def cut(self, items: Iterable[str]) -> tuple[list[str], bool]:
        """Take the page out of items that begin behind ``last``; tell whether more are left."""
        taken = list(islice(items, self.size + 1))
        return taken[: self.size], len(taken) > self.size


def parse_page(request: RegistryRequest) -> ListPage:
    """Read ``n`` and ``last`` from a request's query.

    Raises:
        RegistryError: ``n`` is no number.
    """
    last = request.args.get(b"last", [b""])[-1].decode("utf-8", "replace")
    size = request.args.get(b"n", [b"%d" % LARGEST_PAGE])[-1]
    if not size.isdigit():
        raise page_invalid("n is how many items a page may have: 0, 1, 2 and so on")
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


class TagsResource(RegistryResource):
    """The tags of a repository, in the order of their bytes, in pages."""

    isLeaf = True

    def __init__(self, repository: RepositoryRequest) -> None:
        super().__init__()
        self._repository = repository

    def render_GET(self, request: RegistryRequest) -> int:
        """Send a page of tags."""
        return self.answer_later(request, self._send(request, parse_page(request)))

    async def _send(self, request: RegistryRequest, page: ListPage) -> None:
        try:
            tags = await self._repository.ask(request, lambda repository: repository.list_tags())
        except ContentNotFound:
            raise name_unknown(self._repository.name) from None
        taken, more = page.cut(tag for tag in tags if tag > page.last)
        name = self._repository.name
        following = taken[-1] if more and taken else None
        send_page(request, f"/v2/{name}/tags/list", {"name": name, "tags": taken}, page, following)


class ReferrersResource(RegistryResource):
    """The manifests that have another one as their subject: signatures, SBOMs, and such."""

    isLeaf = True

    def __init__(self, repository: RepositoryRequest, digest: str) -> None:
        super().__init__()
        self._repository = repository
        self._text = digest

    def render_GET(self, request: RegistryRequest) -> int:
        """Send an index of the referrers, an empty one if there are none."""
        try:
            digest = Digest.parse(self._text)
        except DigestInvalid as error:
            raise digest_invalid(str(error)) from None
        return self.answer_later(request, self._send(request, digest))

    async def _send(self, request: RegistryRequest, digest: Digest) -> None:
        try:
            referrers = await self._repository.ask(
                request, lambda repository: repository.list_referrers(digest)
            )
        except ContentNotFound:
            raise name_unknown(self._repository.name) from None
        wanted = request.args.get(b"artifactType", [b""])[0].decode("utf-8", "replace")
        if wanted:
            referrers = [found for found in referrers if found.artifact_type == wanted]
            request.setHeader(b"oci-filters-applied", b"artifactType")
        request.respond(referrers_index(referrers), OCI_INDEX.encode("ascii"))


class CatalogResource(RegistryResource):
    """The names of all repositories, in the order of their bytes, in pages."""

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
        taken, more = page.cut(await self._disk.take(names, page.size + 1))
        following = taken[-1] if more and taken else None
        send_page(request, "/v2/_catalog", {"repositories": taken}, page, following)


_ENDPOINTS = frozenset({b"manifests", b"blobs", b"tags", b"referrers"})


class RegistryAPI(RegistryResource):
    """``/v2/``: the registry speaks the specification; and everything below."""

    def __init__(self, store: IRegistryStore, disk: DiskIO) -> None:
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
        address = RepositoryRequest(self._store, self._disk, namespace, repository)
        return _find_leaf(address, endpoint, reference.decode("utf-8", "backslashreplace"))


def make_root(store: IRegistryStore, disk: DiskIO) -> RegistryResource:
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


def _find_leaf(address: RepositoryRequest, endpoint: bytes, reference: str) -> RegistryResource:
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
