"""What a path asks for, in a word: one of a few, whatever clients send."""

_OF_A_REPOSITORY = frozenset({"manifests", "blobs", "tags", "referrers"})
_STATUS = frozenset({"/livez", "/readyz", "/metrics"})
_OF_THE_REGISTRY = {"/v2/": "base", "/v2": "base", "/v2/_catalog": "catalog"}

ENDPOINTS = (*sorted(_OF_A_REPOSITORY), "base", "catalog", "status", "page", "other")
"""All words that ``endpoint_of`` has."""


def endpoint_of(path: str) -> str:
    """Tell which endpoint a request's path, as the client sent it, leads to."""
    if path.startswith("/v2/") or path == "/v2":
        parts = path.rsplit("/", 2)
        if len(parts) == 3 and parts[1] in _OF_A_REPOSITORY and len(parts[0]) > len("/v2/"):
            return parts[1]
        return _OF_THE_REGISTRY.get(path, "other")
    if path in _STATUS:
        return "status"
    if path == "/" or path.startswith("/minreg/"):
        return "page"
    return "other"
