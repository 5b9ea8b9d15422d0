"""Requests manifests and blobs from upstream registries.

Source: OCI distribution-spec, "Pulling manifests", "Pulling blobs", "Listing Referrers".
"""

import json
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from threading import Lock
from urllib.parse import urljoin

import attrs

from minreg.fill.errors import ContentMismatch, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.auth import Authorizer
from minreg.fill.upstream.credentials import find_credentials
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Response, Transport, check_available, discard
from minreg.fill.upstream.url_policy import base_url, is_same_origin
from minreg.oci.manifests import Descriptor, Manifest, ManifestInvalid, parse_manifest
from minreg.oci.names import INDEXES, MANIFESTS, OCI_INDEX, Digest, DigestInvalid, is_tag

MAX_MANIFEST = 8 * 1024 * 1024
"""Bytes; the store reads manifests up to the same size."""

_ACCEPT = ", ".join(sorted(MANIFESTS | INDEXES))
_MAX_CHALLENGES = 3
_MAX_ERROR = 64 * 1024
_MAX_REASON = 300
_MAX_TAGS = 1000
_MAX_TAG_LIST = 256 * 1024
_MAX_PAGES = 100
_NEXT_PAGE = re.compile(r"""<([^<>]*)>\s*;[^<>]*\brel="?next\b""")


@attrs.frozen
class FetchedManifest:
    """A manifest or an index: its exact bytes, and the same parsed."""

    digest: Digest
    content: bytes
    manifest: Manifest


@attrs.frozen
class Upstream:
    """One registry. ``url`` is its URL without ``/v2/``."""

    url: str
    _transport: Transport
    _authorizer: Authorizer
    _retries: Retries

    def find_digest(self, repository: str, tag: str) -> Digest | None:
        """Return the digest that a tag names; None if the registry does not state it.

        This is a HEAD request, which Docker Hub does not count as a pull.

        Raises:
            UpstreamRefused, UpstreamUnavailable: As for ``read_manifest``.
        """
        path = f"{repository}/manifests/{tag}"
        response, url = self._retries.run(
            lambda: self._send("HEAD", path, repository, {"Accept": _ACCEPT})
        )
        discard(response)
        if response.status == 200:
            return _stated_digest(response)
        if response.status == 404:
            raise self._refusal(response.status, b"", url)
        return None

    def read_manifest(self, repository: str, reference: str | Digest) -> FetchedManifest:
        """Return the manifest or index that a tag or digest names, verified.

        Raises:
            UpstreamRefused: The registry does not have it, refuses it, or sends one that no
                client could use.
            UpstreamUnavailable: All attempts failed.
            ContentMismatch: In the last attempt the bytes did not have the digest.
        """
        return self._retries.run(lambda: self._read_manifest(repository, reference))

    def open_blob(self, repository: str, digest: Digest, offset: int) -> tuple[Response, str]:
        """Request a blob, without its first ``offset`` bytes, once.

        Returns:
            The response, with status 200, 206 or 416, and its URL.

        Raises:
            UpstreamRefused, UpstreamUnavailable: There is no such response.
        """
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        response, url = self._send("GET", f"{repository}/blobs/{digest}", repository, headers)
        if response.status in {200, 206, 416}:
            return response, url
        raise self._refusal(response.status, self._read_reason(response, url), url)

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Return whether the registry says that it has a blob.

        Raises:
            UpstreamUnavailable: All attempts failed.
        """
        path = f"{repository}/blobs/{digest}"
        try:
            response, _ = self._retries.run(lambda: self._send("HEAD", path, repository, {}))
        except UpstreamRefused:
            return False
        discard(response)
        return response.status == 200

    def list_referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor] | None:
        """Return the referrers of a manifest; None if the registry has no such list.

        Raises:
            UpstreamRefused: The registry has only a part of the list.
            UpstreamUnavailable: All attempts failed.
        """
        return self._retries.run(lambda: self._list_referrers(repository, digest))

    def list_tags(self, repository: str) -> Sequence[str]:
        """Return up to 1,000 tags of a repository, to be shown in an error message.

        It is attempted once. The result is empty if the registry does not have the repository,
        or does not list its tags.
        """
        path = f"{repository}/tags/list?n={_MAX_TAGS}"
        try:
            response, url = self._send("GET", path, repository, {})
            if response.status != 200:
                discard(response)
                return ()
            document = json.loads(self._transport.read_body(response, url, _MAX_TAG_LIST))
            tags = document["tags"]
        except (UpstreamRefused, UpstreamUnavailable):
            return ()
        except (ValueError, KeyError, TypeError, RecursionError):
            return ()
        if not isinstance(tags, list):
            return ()
        return [tag for tag in tags[:_MAX_TAGS] if isinstance(tag, str) and is_tag(tag)]

    def iterate_body(self, response: Response, url: str) -> Generator[bytes, None, None]:
        """Yield the bytes of a body as they are received."""
        return self._transport.iterate_body(response, url)

    def _read_manifest(self, repository: str, reference: str | Digest) -> FetchedManifest:
        path = f"{repository}/manifests/{reference}"
        response, url = self._send("GET", path, repository, {"Accept": _ACCEPT})
        if response.status != 200:
            raise self._refusal(response.status, self._read_reason(response, url), url)
        content = self._transport.read_body(response, url, MAX_MANIFEST)
        expected = reference if isinstance(reference, Digest) else _stated_digest(response)
        algorithm = expected.algorithm if expected is not None else "sha256"
        digest = Digest.of(content, algorithm)
        if expected is not None and digest != expected:
            raise ContentMismatch(
                f"{url} should have {expected}, but the received bytes have {digest}"
            )
        return FetchedManifest(digest, content, _parse(content, response, url))

    def _list_referrers(self, repository: str, digest: Digest) -> Sequence[Descriptor] | None:
        path = f"{repository}/referrers/{digest}"
        referrers: list[Descriptor] = []
        for page in range(_MAX_PAGES):
            response, url = self._send("GET", path, repository, {"Accept": OCI_INDEX})
            content_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
            if response.status != 200 or content_type != OCI_INDEX:
                discard(response)
                if page == 0:
                    return None
                raise UpstreamRefused(f"{url} is not a page of referrers", response.status)
            content = self._transport.read_body(response, url, MAX_MANIFEST)
            referrers += _parse(content, response, url).manifests
            path = self._find_next_page(response, path)
            if not path:
                return referrers
        raise UpstreamRefused(f"{url}: the list of referrers has more than {_MAX_PAGES} pages")

    def _find_next_page(self, response: Response, path: str) -> str:
        """Return the path of the next page of a list; empty if there is none.

        Source: distribution-spec, "Listing Referrers"; RFC 8288.

        Raises:
            UpstreamRefused: It is on another host.
        """
        base = f"{self.url}/v2/"
        link = _NEXT_PAGE.search(response.headers.get("Link", ""))
        if link is None:
            return ""
        url: str = urljoin(f"{base}{path}", link[1])
        if not url.startswith(base):
            raise UpstreamRefused(f"{base}{path} continues at {url[:_MAX_REASON]}, another host")
        return url.removeprefix(base)

    def _send(
        self, method: str, path: str, repository: str, headers: Mapping[str, str]
    ) -> tuple[Response, str]:
        """Send a request, and authenticate if the registry demands it.

        Returns:
            The response and its URL.

        Raises:
            UpstreamRefused: The credentials are not accepted.
            UpstreamUnavailable: The connection failed, or the registry could not answer.
        """
        url = f"{self.url}/v2/{path}"
        for _ in range(_MAX_CHALLENGES):
            authorization = self._authorizer.authorization(repository)
            response, target = self._transport.follow(method, url, headers, authorization)
            check_available(response, target)
            if response.status != 401 or not is_same_origin(url, target):
                return response, target
            lines = response.headers.getlist("WWW-Authenticate")
            discard(response)
            self._authorizer.answer(lines, repository, authorization)
        raise UpstreamRefused(
            f"{url}: the login is not accepted, or may not read this; "
            "or there is no such repository; check the login with docker login",
            401,
        )

    def _read_reason(self, response: Response, url: str) -> bytes:
        """Return the body of an error response; empty if it cannot be read."""
        try:
            return self._transport.read_body(response, url, _MAX_ERROR)
        except (UpstreamRefused, UpstreamUnavailable):
            return b""

    def _refusal(self, status: int, body: bytes, url: str) -> UpstreamRefused:
        reason = _reason(body) or {
            407: "the proxy wants a login: write it into http_proxy",
            403: "this account has no access to it",
            404: "the registry does not have it",
        }.get(status, "the registry refuses the request")
        return UpstreamRefused(f"{url}: {reason} (status {status})", status)


def _parse(content: bytes, response: Response, url: str) -> Manifest:
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid as error:
        raise UpstreamRefused(f"{url} is invalid: {error}") from None
    stated = response.headers.get("Content-Type", "").partition(";")[0].strip()
    is_manifest_type = stated in MANIFESTS | INDEXES
    if manifest.states_media_type and is_manifest_type and stated != manifest.media_type:
        raise UpstreamRefused(
            f"{url} is sent as {stated}, but its mediaType is {manifest.media_type}: "
            "clients would disagree about its meaning"
        )
    if manifest.malformed:
        raise UpstreamRefused(f"{url} is invalid: {manifest.malformed[0]}")
    return manifest


def _stated_digest(response: Response) -> Digest | None:
    try:
        return Digest.parse(response.headers.get("Docker-Content-Digest", ""))
    except DigestInvalid:
        return None


def _reason(body: bytes) -> str:
    """Return the first message of an error document (distribution-spec, "Error Codes")."""
    try:
        [first, *_] = json.loads(body)["errors"]
        reason = f"{first['code']} {first.get('message') or ''}".strip()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return " ".join(reason.split())[:_MAX_REASON]


class Upstreams:
    """The upstream registries by address; all threads share them.

    Args:
        transport: Sends the requests.
        retries: How often to retry.
        environment: The process's environment, which says where credentials are stored.
        plain_http: Hosts that serve plain HTTP, as ``parse_host`` returns them.
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
        self._by_address: dict[str, Upstream] = {}
        self._mutex = Lock()

    def find(self, address: str) -> Upstream:
        """Return the registry at an address: a host, with its port if one was given."""
        with self._mutex:
            if address not in self._by_address:
                url = base_url(address, self._plain_http)
                authorizer = Authorizer(
                    self._transport,
                    url,
                    lambda repository: find_credentials(address, repository, self._environment),
                )
                self._by_address[address] = Upstream(
                    url, self._transport, authorizer, self._retries
                )
            return self._by_address[address]
