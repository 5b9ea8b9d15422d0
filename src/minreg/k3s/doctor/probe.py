"""Probes the running registry: whether it serves what is in its tree."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

import attrs

from minreg.defaults import SERVICE_UNIT, SOCKET_UNIT
from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.image_resolution import Resolution
from minreg.k3s.doctor.installed_tree import ServedManifest
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.registry_service import Address
from minreg.k3s.doctor.rules.catalog import PORT_TAKEN, REGISTRY_DIFFERS, REGISTRY_SILENT
from minreg.k3s.registries.containerd import ImageName, Request

SECONDS = 3.0
"""Seconds to wait for a response; minreg itself limits its file accesses to two."""

_SERVER = "minreg"
_MAX_REQUESTS = 100


@attrs.frozen
class Reply:
    """The response to a HEAD request; ``failure`` is the reason if there was none."""

    status: int = 0
    server: str = ""
    digest: str = ""
    failure: str = ""


Ask = Callable[[str], Reply]


def ask(url: str) -> Reply:
    """Send a HEAD request. Certificates are not verified: no credentials are sent."""
    try:
        parts = urlsplit(url)
        with closing(_connect(parts)) as connection:
            connection.request("HEAD", parts._replace(scheme="", netloc="").geturl())
            response = connection.getresponse()
            return Reply(
                response.status,
                response.getheader("Server", ""),
                response.getheader("Docker-Content-Digest", ""),
            )
    except (OSError, HTTPException, ValueError) as error:
        return Reply(failure=str(error) or type(error).__name__)


def check_registry(node: Node, resolutions: Sequence[Resolution], ask: Ask) -> Iterator[Finding]:
    """Check that the registry responds, is minreg, and serves the images of the tree."""
    for address in node.registry.addresses:
        failure = _check_address(address, ask(f"{address.url}/v2/"))
        if failure is not None:
            yield failure
            return
    differences: list[tuple[ImageName, ServedManifest, Reply]] = []
    requests = [
        (resolution.required.image, resolution.request, resolution.served)
        for resolution in resolutions
        if resolution.request is not None and resolution.served is not None
    ]
    for image, request, served in requests[:_MAX_REQUESTS]:
        reply = ask(_url_at(node, request))
        if reply.digest != str(served.digest):
            differences.append((image, served, reply))
    if differences:
        yield _differs(node, differences)


def _connect(parts: SplitResult) -> HTTPConnection:
    if parts.scheme == "https":
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - see ask
        return HTTPSConnection(parts.netloc, timeout=SECONDS, context=context)
    return HTTPConnection(parts.netloc, timeout=SECONDS)


def _check_address(address: Address, reply: Reply) -> Finding | None:
    url = address.url
    if reply.failure:
        problem = f"{url} does not respond: {reply.failure}"
        fix = f"systemctl status {SOCKET_UNIT} {SERVICE_UNIT}"
        return Finding(REGISTRY_SILENT, address.path, address.line, problem, fix)
    if not reply.server.startswith(_SERVER):
        problem = f"another program responds at {url}: {reply.server or 'it sends no name'}"
        fix = "stop that program, or let minreg listen on another port"
        return Finding(PORT_TAKEN, address.path, address.line, problem, fix)
    return None


def _differs(
    node: Node, differences: Sequence[tuple[ImageName, ServedManifest, Reply]]
) -> Finding:
    image, served, reply = differences[0]
    if reply.digest:
        response = f"serves {reply.digest} as {image}"
    else:
        response = f"does not serve {image} ({reply.failure or f'status {reply.status}'})"
    others = len(differences) - 1
    more = f"; {others} more differ from the tree" if others else ""
    problem = f"the running registry {response}, but the tree has {served.digest}{more}"
    fix = "systemctl restart minreg; it serves the directory that existed when it started"
    return Finding(REGISTRY_DIFFERS, node.registry.root, 0, problem, fix)


def _url_at(node: Node, request: Request) -> str:
    """Return the URL of a request at the address on which minreg listens."""
    address = node.registry.address_for(request.host.host)
    rest = urlsplit(request.url)._replace(scheme="", netloc="").geturl()
    return f"{address.url}{rest}" if address is not None else request.url
