"""An upstream without a network: the transport's answers come from a function."""

import io
import json
from collections.abc import Callable, Mapping
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import attrs
import urllib3

from minreg.fill.upstream.auth import Authorizer
from minreg.fill.upstream.registry import Upstream
from minreg.fill.upstream.retries import Retries
from minreg.fill.upstream.transport import Response, Transport
from minreg.oci.names import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Digest


@attrs.frozen
class Sent:
    """A request, as the server sees it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    @property
    def path(self) -> str:
        """The URL's path."""
        return urlsplit(self.url).path


@attrs.frozen
class Canned:
    """A response."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)


class CannedTransport(Transport):
    """Sends nothing: ``answer`` is asked, and every request is kept in ``sent``."""

    def __init__(self, answer: Callable[[Sent], Canned]) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self._answer = answer

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> Response:
        """Answer a request."""
        request = Sent(method, url, dict(headers), body)
        self.sent.append(request)
        canned = self._answer(request)
        return urllib3.HTTPResponse(
            io.BytesIO(b"" if method == "HEAD" else canned.body),
            headers={"Content-Length": str(len(canned.body)), **canned.headers},
            status=canned.status,
            preload_content=False,
            decode_content=False,
            request_method=method,
        )


def quick_retries(count: int = 2) -> Retries:
    """Make retries that wait for nothing."""
    return Retries(count, Event(), wait=lambda _: False)


def make_upstream(
    transport: Transport, url: str = "https://example.com", retries: Retries | None = None
) -> Upstream:
    """Make an upstream without accounts."""
    authorizer = Authorizer(transport, url, lambda _: None)
    return Upstream(url, transport, authorizer, retries or quick_retries())


class MemoryRegistry:
    """A registry in memory, an ``answer`` for ``CannedTransport``.

    ``faults`` has, for a path, the responses to send before the right one.
    """

    def __init__(self) -> None:
        self.contents: dict[str, tuple[str, bytes]] = {}
        self.faults: dict[str, list[Canned]] = {}

    def __call__(self, request: Sent) -> Canned:
        """Answer a request."""
        if self.faults.get(request.path):
            return self.faults[request.path].pop(0)
        if request.path not in self.contents:
            error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]}
            return Canned(404, json.dumps(error).encode("ascii"))
        media_type, content = self.contents[request.path]
        headers = {"Content-Type": media_type, "Docker-Content-Digest": str(Digest.of(content))}
        start = int(request.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        if start == 0:
            return Canned(200, content, headers)
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Canned(206, content[start:], headers)

    def add_blob(self, repository: str, media_type: str, content: bytes) -> dict[str, Any]:
        """Add a blob, and describe it."""
        digest = str(Digest.of(content))
        self.contents[f"/v2/{repository}/blobs/{digest}"] = ("application/octet-stream", content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def add_manifest(
        self, repository: str, document: dict[str, Any], *tags: str
    ) -> dict[str, Any]:
        """Add a manifest or an index under its digest and tags, and describe it."""
        content = json.dumps(document).encode("ascii")
        media_type = document["mediaType"]
        digest = str(Digest.of(content))
        for reference in (digest, *tags):
            self.contents[f"/v2/{repository}/manifests/{reference}"] = (media_type, content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def add_image(
        self, repository: str, architecture: str, *layers: bytes, **more: Any
    ) -> dict[str, Any]:
        """Add an image, and describe it with its platform."""
        platform = {"os": "linux", "architecture": architecture}
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.add_blob(repository, OCI_CONFIG, json.dumps(platform).encode()),
            "layers": [self.add_blob(repository, OCI_LAYER, layer) for layer in layers],
            **more,
        }
        return {**self.add_manifest(repository, document), "platform": platform}

    def add_index(self, repository: str, *images: dict[str, Any], tag: str) -> dict[str, Any]:
        """Add an index of images, and describe it."""
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(images)}
        return self.add_manifest(repository, document, tag)
