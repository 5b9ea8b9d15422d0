"""The registry's errors: one function for each, with its HTTP status and error code.

Source: OCI distribution-spec, "Error Codes". Where that list has no code for an error, the code
is the one that the distribution project uses.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class RegistryError(Exception):
    """An error response.

    Attributes:
        status: The HTTP status.
        code: The specification's error code.
        message: A sentence for people.
        detail: Details for programs.
    """

    status: int
    code: str
    message: str
    detail: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def document(self) -> bytes:
        """Return the specification's error document, as JSON."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            error["detail"] = dict(self.detail)
        return json.dumps({"errors": [error]}).encode("ascii")


def name_unknown(name: str) -> RegistryError:
    """Return the error for a repository that does not exist."""
    message = f"repository {name} is not in this registry"
    return RegistryError(404, "NAME_UNKNOWN", message, {"name": name})


def name_invalid(reason: str) -> RegistryError:
    """Return the error for a repository name or a namespace that breaks its grammar."""
    return RegistryError(400, "NAME_INVALID", reason)


def manifest_unknown(reason: str, detail: Mapping[str, Any]) -> RegistryError:
    """Return the error for a manifest that the repository does not have."""
    return RegistryError(404, "MANIFEST_UNKNOWN", reason, detail)


def blob_unknown(reason: str, detail: Mapping[str, Any]) -> RegistryError:
    """Return the error for a blob that the repository does not have."""
    return RegistryError(404, "BLOB_UNKNOWN", reason, detail)


def digest_invalid(reason: str) -> RegistryError:
    """Return the error for a digest that breaks its grammar."""
    return RegistryError(400, "DIGEST_INVALID", reason)


def unsupported(method: str) -> RegistryError:
    """Return the error for a method other than GET and HEAD."""
    message = f"this registry is read-only: it answers GET and HEAD, not {method}"
    return RegistryError(405, "UNSUPPORTED", message)


def not_an_endpoint() -> RegistryError:
    """Return the error for a path that is not an endpoint."""
    message = "this path is not an endpoint: the registry API begins at /v2/"
    return RegistryError(404, "UNSUPPORTED", message)


def not_http() -> RegistryError:
    """Return the error for bytes that are not a request."""
    return RegistryError(400, "UNSUPPORTED", "this is not a valid request in HTTP/1.1")


def not_encrypted() -> RegistryError:
    """Return the error for a TLS handshake on a port that does not speak TLS."""
    message = "this port does not speak TLS: use http:// instead of https:// in the URL"
    return RegistryError(400, "UNSUPPORTED", message)


def host_invalid() -> RegistryError:
    """Return the error for a request that does not name one host (RFC 9112, section 3.2)."""
    message = "a request must have exactly one Host field, with a valid host in it"
    return RegistryError(400, "UNSUPPORTED", message)


def target_too_long() -> RegistryError:
    """Return the error for a URL that is too long (RFC 9110, section 15.5.15)."""
    return RegistryError(414, "UNSUPPORTED", "the request's URL is too long")


def header_too_large() -> RegistryError:
    """Return the error for too many or too long header fields (RFC 6585, section 5)."""
    return RegistryError(431, "UNSUPPORTED", "the request's header is too large")


def query_invalid(reason: str) -> RegistryError:
    """Return the error for an invalid query of a status endpoint."""
    return RegistryError(400, "UNSUPPORTED", reason)


def release_unknown(reason: str) -> RegistryError:
    """Return the error for a K3s release whose image list the registry does not have."""
    return RegistryError(404, "UNSUPPORTED", reason)


def page_invalid(reason: str) -> RegistryError:
    """Return the error for invalid pagination parameters."""
    return RegistryError(400, "PAGINATION_NUMBER_INVALID", reason)


def range_invalid(size: int) -> RegistryError:
    """Return the error for a range outside of the content (RFC 9110, section 15.5.17)."""
    message = f"the range lies outside of the blob's {size} bytes"
    return RegistryError(416, "RANGE_INVALID", message, {"size": size})


def size_invalid(limit: int) -> RegistryError:
    """Return the error for a request body of more than ``limit`` bytes (RFC 9110, 15.5.14)."""
    message = f"this registry accepts no content: the request's body exceeds {limit} bytes"
    return RegistryError(413, "SIZE_INVALID", message)


def unavailable(reason: str) -> RegistryError:
    """Return the error for content that cannot be read now (RFC 9110, section 15.6.4)."""
    return RegistryError(503, "UNAVAILABLE", reason)
