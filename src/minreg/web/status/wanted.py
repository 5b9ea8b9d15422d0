"""Recognises what was asked for in vain, and names it as its registry does."""

from collections.abc import Callable, Mapping
from typing import Any

from minreg.names import (
    Digest,
    DigestInvalid,
    NameInvalid,
    is_host,
    parse_host,
    parse_reference,
    parse_repository,
)
from minreg.store.lookup import upstream_of
from minreg.web.status.endpoints import endpoint_of, split_path
from minreg.web.status.misses import Misses, Wanted

_LOOKED_UP = frozenset({"manifests", "blobs"})


def parse_wanted(event: Mapping[str, Any]) -> Wanted | None:
    """Read what a request wanted and did not find; None if that is no content with a name.

    Args:
        event: What the log says of the request.
    """
    endpoint = endpoint_of(event["path"])
    if event["status"] != 404 or endpoint not in _LOOKED_UP:
        return None
    _, *name, _, text = split_path(event["path"])
    namespace = event["ns"]
    try:
        return Wanted(
            parse_host(namespace) if namespace else "",
            parse_repository("/".join(name)),
            str(parse_reference(text)),
            is_blob=endpoint == "blobs",
        )
    except (NameInvalid, DigestInvalid):
        return None


def make_witness(misses: Misses) -> Callable[[Mapping[str, Any]], None]:
    """Make what keeps a record of misses, request by request."""

    def note(event: Mapping[str, Any]) -> None:
        if event["status"] != 404:
            return
        wanted = parse_wanted(event)
        if wanted is not None:
            misses.add(wanted, event["user_agent"], event["client"])

    return note


def names_registry(wanted: Wanted) -> bool:
    """Tell whether the client said which registry it means, in whatever way."""
    first, _, rest = wanted.repository.partition("/")
    return bool(wanted.namespace) or (bool(rest) and is_host(first))


def image_of(wanted: Wanted, aliases: Mapping[str, str]) -> str:
    """Name what was wanted as ``docker pull`` and ``minreg download`` take it.

    Empty for a blob, which cannot be pulled by itself, and where no registry is known.
    """
    host, repository = upstream_of(wanted.namespace or None, wanted.repository, aliases)
    if wanted.is_blob or not is_host(host):
        return ""
    return f"{host}/{join_reference(repository, wanted.reference)}"


def join_reference(repository: str, reference: str | Digest) -> str:
    """Write a repository's name and a tag or digest as one."""
    text = str(reference)
    return f"{repository}{'@' if ':' in text else ':'}{text}"
