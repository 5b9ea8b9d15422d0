"""What a path asks for, in a word: one of a few, whatever clients send."""

from urllib.parse import unquote

from minreg.web.request import path_of

_OF_A_REPOSITORY = frozenset({"manifests", "blobs", "tags", "referrers"})
_STATUS = frozenset({"livez", "readyz", "metrics"})
_OF_THE_REGISTRY = {"": "base", "_catalog": "catalog"}

ENDPOINTS = (*sorted(_OF_A_REPOSITORY), "base", "catalog", "status", "page", "other")
"""All words that ``endpoint_of`` has."""


def split_path(target: str) -> list[str]:
    """Split the path of a request's target, as the client sent it, into its parts."""
    path = target[1:]
    if not target.startswith("/"):
        path = path_of(target.encode("latin-1", "replace")).decode("latin-1")
    parts = path.split("/")
    return [unquote(part) for part in parts] if "%" in path else parts


def endpoint_of(target: str) -> str:
    """Tell which endpoint a request's target, as the client sent it, leads to."""
    first, *parts = split_path(target)
    if first == "v2":
        if len(parts) > 2 and parts[-2] in _OF_A_REPOSITORY and any(parts[:-2]):
            return parts[-2]
        return _OF_THE_REGISTRY.get("/".join(parts), "other")
    if first in _STATUS and not parts:
        return "status"
    if (not first and not parts) or (first == "minreg" and parts):
        return "page"
    return "other"
