"""Which repositories of a tree may answer a request, by its name and its namespace.

One registry serves as the mirror of many. A client says which of them it means with the query
``ns`` (containerd sends it to every mirror), or with the path itself, or not at all. ``ns`` is
only a key to look up: it is never connected to, and what is stored under one host's name never
answers for another host. Source: distribution-spec, "Registry Proxying".
"""

from collections.abc import Iterator, Mapping

import attrs

from minreg.oci.names import DOCKER_HUB, is_host, parse_host


@attrs.frozen
class Candidate:
    """A path at which a repository may be stored.

    Attributes:
        path: The path below the root.
        by_namespace: Whether it follows from ``ns``.
    """

    path: str
    by_namespace: bool


def candidates(
    namespace: str | None, name: str, aliases: Mapping[str, str]
) -> Iterator[Candidate]:
    """Yield the paths at which a repository may be stored, best first, each once.

    Args:
        namespace: The host that the client asks for, as ``parse_host`` returns it; None if
            it names none.
        name: The repository's name in the request's path.
        aliases: Names of this registry, each with the upstream host that it stands for.
    """
    paths = set()
    for candidate in _in_order(namespace, name, aliases):
        if candidate.path not in paths:
            paths.add(candidate.path)
            yield candidate


def upstream_of(namespace: str | None, name: str, aliases: Mapping[str, str]) -> tuple[str, str]:
    """Return the upstream registry that a request most likely means, and the repository there.

    Args:
        namespace: As for ``candidates``.
        name: As for ``candidates``.
        aliases: As for ``candidates``. Without a namespace, the first of their hosts is
            assumed.
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
        yield from _as_path(name, None)
        for host in dict.fromkeys(aliases.values()):
            yield from _below(host, name, by_namespace=False)
        return
    target = aliases.get(namespace)
    if is_host(namespace):
        yield from _below(namespace, name, by_namespace=True)
    if target is not None:
        yield from _below(target, name, by_namespace=True)
    if target is not None or _may_answer_for(namespace, name):
        yield from _as_path(name, target or namespace)


def _below(host: str, name: str, *, by_namespace: bool) -> Iterator[Candidate]:
    for path in _with_library(host, name):
        yield Candidate(f"{host}/{path}", by_namespace)


def _as_path(name: str, registry: str | None) -> Iterator[Candidate]:
    """Yield the name itself: for a tree without host names, or because it begins with a host."""
    first, _, rest = name.partition("/")
    if rest and is_host(first):
        yield from _below(parse_host(first), rest, by_namespace=False)
        yield Candidate(name, by_namespace=False)
        return
    for path in _with_library(registry, name):
        yield Candidate(path, by_namespace=False)


def _with_library(registry: str | None, name: str) -> Iterator[str]:
    """Yield a name; on Docker Hub, ``busybox`` is short for ``library/busybox``."""
    if registry == DOCKER_HUB and "/" not in name:
        yield f"library/{name}"
    yield name


def _may_answer_for(namespace: str, name: str) -> bool:
    """Return whether the name itself may be used as a path for a namespace.

    A name without a host may: the tree may have been made without host names. One with a host
    answers for that host only.
    """
    first, _, rest = name.partition("/")
    return not rest or not is_host(first) or parse_host(first) == namespace
