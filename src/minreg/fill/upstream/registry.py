"""An upstream registry, asked for manifests and blobs.

Source: OCI distribution-spec, "Pulling manifests", "Pulling blobs", "Listing Referrers".
"""

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from threading import Lock

import attrs

from minreg.fill.errors import ContentMismatch, UpstreamRefused, UpstreamUnavailable
from minreg.fill.upstream.auth import Authorizer
from minreg.fill.upstream.credentials import find_credentials
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Response, Transport, check_available, discard
from minreg.fill.upstream.url_policy import base_url, is_same_origin
from minreg.oci.manifests import Manifest, ManifestInvalid, parse_manifest
from minreg.oci.names import INDEXES, MANIFESTS, OCI_INDEX, Digest, DigestInvalid, is_tag

LARGEST_MANIFEST = 8 * 1024 * 1024
"""Bytes: what the store reads of one, too."""

_ACCEPT = ", ".join(sorted(MANIFESTS | INDEXES))
_MOST_CHALLENGES = 3
_LARGEST_ERROR = 64 * 1024
_LONGEST_REASON = 300
_MOST_TAGS = 1000
_LARGEST_TAG_LIST = 256 * 1024


@attrs.frozen
class FetchedManifest:
    """A manifest or an index: its exact bytes, and what they say."""

    digest: Digest
    content: bytes
    manifest: Manifest


@attrs.frozen
class Upstream:
    """One registry. ``url`` is its address without ``/v2/``."""

    url: str
    _transport: Transport
    _authorizer: Authorizer
    _retries: Retries

    def find_digest(self, repository: str, tag: str) -> Digest | None:
        """Ask for what a tag names, which counts towards no limit; None if it is not told.

        Raises:
            UpstreamRefused, UpstreamUnavailable: As ``read_manifest``.
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
        """Read the manifest or index that a tag or digest names, and check it.

        Raises:
            UpstreamRefused: The registry does not have it or does not give it, or it is
                none that a client could use.
            UpstreamUnavailable: There was no answer, however often it was asked.
            ContentMismatch: Each time, the bytes were not those of the digest.
        """
        return self._retries.run(lambda: self._read_manifest(repository, reference))

    def open_blob(self, repository: str, digest: Digest, offset: int) -> tuple[Response, str]:
        """Ask for a blob, or what lies behind its first ``offset`` bytes; once.

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

    def list_referrers(self, repository: str, digest: Digest) -> FetchedManifest | None:
        """List what refers to a manifest; None if the registry has no such list."""
        return self._retries.run(lambda: self._list_referrers(repository, digest))

    def list_tags(self, repository: str) -> Sequence[str]:
        """List tags of a repository, for a message: one attempt, the first thousand.

        Empty if the registry does not tell, or has no such repository.
        """
        path = f"{repository}/tags/list?n={_MOST_TAGS}"
        try:
            response, url = self._send("GET", path, repository, {})
            if response.status != 200:
                discard(response)
                return ()
            document = json.loads(self._transport.read_body(response, url, _LARGEST_TAG_LIST))
            tags = document["tags"]
        except (UpstreamRefused, UpstreamUnavailable):
            return ()
        except (ValueError, KeyError, TypeError, RecursionError):
            return ()
        if not isinstance(tags, list):
            return ()
        return [tag for tag in tags[:_MOST_TAGS] if isinstance(tag, str) and is_tag(tag)]

    def iterate_body(self, response: Response, url: str) -> Generator[bytes, None, None]:
        """Give a body's bytes as they come."""
        return self._transport.iterate_body(response, url)

    def _read_manifest(self, repository: str, reference: str | Digest) -> FetchedManifest:
        path = f"{repository}/manifests/{reference}"
        response, url = self._send("GET", path, repository, {"Accept": _ACCEPT})
        if response.status != 200:
            raise self._refusal(response.status, self._read_reason(response, url), url)
        content = self._transport.read_body(response, url, LARGEST_MANIFEST)
        expected = reference if isinstance(reference, Digest) else _stated_digest(response)
        algorithm = expected.algorithm if expected is not None else "sha256"
        digest = Digest.of(content, algorithm)
        if expected is not None and digest != expected:
            raise ContentMismatch(f"{url} should be {expected}, and its bytes are {digest}")
        return FetchedManifest(digest, content, _parse(content, response, url))

    def _list_referrers(self, repository: str, digest: Digest) -> FetchedManifest | None:
        path = f"{repository}/referrers/{digest}"
        response, url = self._send("GET", path, repository, {"Accept": OCI_INDEX})
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if response.status != 200 or content_type != OCI_INDEX:
            discard(response)
            return None
        content = self._transport.read_body(response, url, LARGEST_MANIFEST)
        return FetchedManifest(Digest.of(content), content, _parse(content, response, url))

    def _send(
        self, method: str, path: str, repository: str, headers: Mapping[str, str]
    ) -> tuple[Response, str]:
        """Send a request, logged in if need be.

        Raises:
            UpstreamRefused: The login is not accepted.
            UpstreamUnavailable: There is no answer that could be used.
        """
        url = f"{self.url}/v2/{path}"
        for _ in range(_MOST_CHALLENGES):
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
            "or there is no such repository",
            401,
        )

    def _read_reason(self, response: Response, url: str) -> bytes:
        """Read an error document. Without one, the status has to do."""
        try:
            return self._transport.read_body(response, url, _LARGEST_ERROR)
        except (UpstreamRefused, UpstreamUnavailable):
            return b""

    def _refusal(self, status: int, body: bytes, url: str) -> UpstreamRefused:
        reason = _reason(body) or {
            407: "the proxy wants a login: write it into http_proxy",
            403: "it may not be read by this account",
            404: "the registry does not have it",
        }.get(status, "the registry refuses it")
        return UpstreamRefused(f"{url}: {reason} (status {status})", status)


def _parse(content: bytes, response: Response, url: str) -> Manifest:
    try:
        manifest = parse_manifest(content)
    except ManifestInvalid as error:
        raise UpstreamRefused(f"{url} cannot be used: {error}") from None
    stated = response.headers.get("Content-Type", "").partition(";")[0].strip()
    is_known = stated in MANIFESTS | INDEXES
    if manifest.states_media_type and is_known and stated != manifest.media_type:
        raise UpstreamRefused(
            f"{url} is sent as {stated} and says that it is {manifest.media_type}: "
            "two clients could take it for two things"
        )
    if manifest.malformed:
        raise UpstreamRefused(f"{url} cannot be used: {manifest.malformed[0]}")
    return manifest


def _stated_digest(response: Response) -> Digest | None:
    try:
        return Digest.parse(response.headers.get("Docker-Content-Digest", ""))
    except DigestInvalid:
        return None


def _reason(body: bytes) -> str:
    """Read the first message of an error document (distribution-spec, "Error Codes")."""
    try:
        [first, *_] = json.loads(body)["errors"]
        reason = f"{first['code']} {first.get('message') or ''}".strip()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return " ".join(reason.split())[:_LONGEST_REASON]


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
