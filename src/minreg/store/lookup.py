"""Which places in a tree may hold the repository that a request names.

One registry stands in for many. A client says with ``ns`` which of them it believes to
be talking to (containerd does so for each mirror), or with the path itself, or not at
all. ``ns`` is only ever a key to look up, never an address to connect to, and what is
kept under one host's name never answers for another host.
"""

from collections.abc import Iterator, Mapping

import attrs

from minreg.oci.names import DOCKER_HUB, is_host, parse_host


@attrs.frozen
class Candidate:
    """A place, as a path below the root; ``by_namespace`` if ``ns`` led to it."""

    path: str
    by_namespace: bool


def candidates(
    namespace: str | None, name: str, aliases: Mapping[str, str]
) -> Iterator[Candidate]:
    """Name the places where a repository may lie, the best first and none twice.

    Args:
        namespace: The host that the client asked for, as ``parse_host`` spells it.
        name: The repository's name in the request's path.
        aliases: Names under which this registry itself is known, each with the host
            whose content is meant by it.
    """
    named = set()
    for candidate in _in_order(namespace, name, aliases):
        if candidate.path not in named:
            named.add(candidate.path)
            yield candidate


def upstream_of(namespace: str | None, name: str, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Name the registry that a request means most likely, and the repository there.

    Args:
        namespace: As for ``candidates``.
        name: As for ``candidates``.
        aliases: As for ``candidates``; without a namespace, the first of their hosts is
            meant.
    """
    first, _, rest = name.partition("/")
    host = aliases.get(namespace, namespace) if namespace is not None else None
    if rest and is_host(first) and (namespace in aliases or host in (None, parse_host(first))):
        host, name = parse_host(first), rest
    if host is None:
        host = next(iter(aliases.values()), DOCKER_HUB)
    return host, next(_with_library(host, name))


def _in_order(namespace: str | None, name: str, aliases: Mapping[str, str]) -> Iterator[Candidate]:
    if namespace is None:
        yield from _as_it_stands(name, None)
        for host in dict.fromkeys(aliases.values()):
            yield from _below(host, name, by_namespace=False)
        return
    target = aliases.get(namespace)
    if is_host(namespace):
        yield from _below(namespace, name, by_namespace=True)
    if target is not None:
        yield from _below(target, name, by_namespace=True)
    if target is not None or _is_kept_for(namespace, name):
        yield from _as_it_stands(name, target or namespace)


def _below(host: str, name: str, *, by_namespace: bool) -> Iterator[Candidate]:
    for path in _with_library(host, name):
        yield Candidate(f"{host}/{path}", by_namespace)


def _as_it_stands(name: str, registry: str | None) -> Iterator[Candidate]:
    """A trimmed tree, or a path that names its host itself."""
    first, _, rest = name.partition("/")
    if rest and is_host(first):
        yield from _below(parse_host(first), rest, by_namespace=False)
        yield Candidate(name, by_namespace=False)
        return
    for path in _with_library(registry, name):
        yield Candidate(path, by_namespace=False)


def _with_library(registry: str | None, name: str) -> Iterator[str]:
    """On the Docker Hub, and only there, ``busybox`` is short for ``library/busybox``."""
    if registry == DOCKER_HUB and "/" not in name:
        yield f"library/{name}"
    yield name


def _is_kept_for(namespace: str, name: str) -> bool:
    """Whether a path, taken as it stands, may answer for the namespace's host.

    A path without a host may: the tree was made without hosts' names. One with a host
    answers for that host alone.
    """
    first, _, rest = name.partition("/")
    return not rest or not is_host(first) or parse_host(first) == namespace
