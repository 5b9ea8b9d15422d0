"""Asks the registry that runs on the node whether it serves what lies in its tree."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

import attrs

from minreg.k3s.doctor.findings import Finding
from minreg.k3s.doctor.images import Resolution
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.registry_service import SERVICE, Address
from minreg.k3s.doctor.rules.catalog import PORT_TAKEN, REGISTRY_DIFFERS, REGISTRY_SILENT
from minreg.k3s.registries.containerd import Request

SECONDS = 3.0
"""How long an answer is waited for; the registry itself promises one within two."""

_OURS = "minreg"
_MOST_QUESTIONS = 100


@attrs.frozen
class Reply:
    """What a registry answers to HEAD; ``failure`` says why there is no answer at all."""

    status: int = 0
    server: str = ""
    digest: str = ""
    failure: str = ""


Ask = Callable[[str], Reply]


def ask(url: str) -> Reply:
    """Send a HEAD request to a URL; certificates are not looked at, for tokens are not sent."""
    try:
        parts = urlsplit(url)
        with closing(_connect(parts)) as connection:
            connection.request("HEAD", parts._replace(scheme="", netloc="").geturl())
            answer = connection.getresponse()
            return Reply(
                answer.status,
                answer.getheader("Server", ""),
                answer.getheader("Docker-Content-Digest", ""),
            )
    except (OSError, HTTPException, ValueError) as error:
        return Reply(failure=str(error) or type(error).__name__)


def check_registry(node: Node, answers: Sequence[Resolution], ask: Ask) -> Iterator[Finding]:
    """The registry answers, is minreg, and serves what lies in the tree."""
    for address in node.registry.addresses:
        failed = _check_address(address, ask(f"{address.url}/v2/"))
        if failed is not None:
            yield failed
            return
    wrong: list[tuple[Resolution, Reply]] = []
    asked = [one for one in answers if one.served is not None and one.request is not None]
    for answer in asked[:_MOST_QUESTIONS]:
        if answer.request is None or answer.served is None:
            continue
        reply = ask(_url_at(node, answer.request))
        if reply.digest != str(answer.served.digest):
            wrong.append((answer, reply))
    if wrong:
        yield _differs(node, wrong)


def _connect(parts: SplitResult) -> HTTPConnection:
    if parts.scheme == "https":
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - see ask
        return HTTPSConnection(parts.netloc, timeout=SECONDS, context=context)
    return HTTPConnection(parts.netloc, timeout=SECONDS)


def _check_address(address: Address, reply: Reply) -> Finding | None:
    url = address.url
    if reply.failure:
        problem = f"{url} does not answer: {reply.failure}"
        fix = f"systemctl status minreg.socket {SERVICE}"
        return Finding(REGISTRY_SILENT, address.path, address.line, problem, fix)
    if not reply.server.startswith(_OURS):
        problem = f"{url} is answered by {reply.server or 'something without a name'}"
        fix = "stop that, or let minreg listen elsewhere"
        return Finding(PORT_TAKEN, address.path, address.line, problem, fix)
    return None


def _differs(node: Node, wrong: Sequence[tuple[Resolution, Reply]]) -> Finding:
    answer, reply = wrong[0]
    image = answer.wanted.image
    if reply.digest:
        what = f"has {reply.digest} for {image}"
    else:
        what = f"answers {reply.failure or reply.status} for {image}"
    more = f", and {len(wrong) - 1} more are not as in the tree" if len(wrong) > 1 else ""
    there = answer.served.digest if answer.served is not None else ""
    problem = f"the running registry {what}, and in the tree there is {there}{more}"
    fix = "systemctl restart minreg, which serves the directory that was there at its start"
    return Finding(REGISTRY_DIFFERS, node.registry.root, 0, problem, fix)


def _url_at(node: Node, request: Request) -> str:
    """Give the address of a request as this node's registry, and nobody else, answers it."""
    address = node.registry.address_for(request.host.host)
    rest = urlsplit(request.url)._replace(scheme="", netloc="").geturl()
    return f"{address.url}{rest}" if address is not None else request.url
