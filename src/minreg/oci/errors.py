"""What the registry answers when it has to say no: one constructor per error code.

Source: OCI distribution-spec, "Error Codes". Where that list has no word for a
failure, the code is the one that the distribution project uses for it.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class RegistryError(Exception):
    """A refusal, as the client will read it.

    ``status`` is the HTTP status, ``code`` the specification's error code, ``message``
    a sentence for people, ``detail`` what a program may want to know.
    """

    status: int
    code: str
    message: str
    detail: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def document(self) -> bytes:
        """The error document of the specification, as JSON."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            error["detail"] = dict(self.detail)
        return json.dumps({"errors": [error]}).encode("ascii")


def name_unknown(name: str) -> RegistryError:
    """The registry has no such repository."""
    message = f"repository {name} is not in this registry"
    return RegistryError(404, "NAME_UNKNOWN", message, {"name": name})


def name_invalid(reason: str) -> RegistryError:
    """A repository's name or a namespace breaks its grammar."""
    return RegistryError(400, "NAME_INVALID", reason)


def manifest_unknown(reason: str, detail: Mapping[str, Any]) -> RegistryError:
    """The repository has no such manifest."""
    return RegistryError(404, "MANIFEST_UNKNOWN", reason, detail)


def blob_unknown(reason: str, detail: Mapping[str, Any]) -> RegistryError:
    """The repository has no such blob."""
    return RegistryError(404, "BLOB_UNKNOWN", reason, detail)


def digest_invalid(reason: str) -> RegistryError:
    """A digest breaks its grammar."""
    return RegistryError(400, "DIGEST_INVALID", reason)


def unsupported(method: str) -> RegistryError:
    """A method other than GET and HEAD was asked of a registry that only reads."""
    message = f"this registry is read-only: it answers GET and HEAD, not {method}"
    return RegistryError(405, "UNSUPPORTED", message)


def not_an_endpoint() -> RegistryError:
    """The path is none of the registry API."""
    message = "nothing is here: the registry API begins at /v2/"
    return RegistryError(404, "UNSUPPORTED", message)


def not_http() -> RegistryError:
    """A connection brought bytes that are no request."""
    return RegistryError(400, "UNSUPPORTED", "this is not a request of HTTP/1.1")


def not_encrypted() -> RegistryError:
    """A client began a TLS handshake on a port that does not speak TLS."""
    message = "this port does not speak TLS: ask it with http:// and not https://"
    return RegistryError(400, "UNSUPPORTED", message)


def host_invalid() -> RegistryError:
    """A request does not name one host (RFC 9112, section 3.2)."""
    message = "a request of HTTP/1.1 has the field Host once, and a host in it"
    return RegistryError(400, "UNSUPPORTED", message)


def target_too_long() -> RegistryError:
    """A request's URL is longer than a line may be (RFC 9110, 15.5.15)."""
    return RegistryError(414, "UNSUPPORTED", "the request's URL is too long")


def header_too_large() -> RegistryError:
    """A request has too many header fields, or too long ones (RFC 6585, section 5)."""
    return RegistryError(431, "UNSUPPORTED", "the request's header is too large")


def query_invalid(reason: str) -> RegistryError:
    """The query of what is served beside the registry has a word that cannot be."""
    return RegistryError(400, "UNSUPPORTED", reason)


def release_unknown(reason: str) -> RegistryError:
    """The registry does not know which images a release of K3s has."""
    return RegistryError(404, "UNSUPPORTED", reason)


def page_invalid(reason: str) -> RegistryError:
    """The query asks for a page that cannot be."""
    return RegistryError(400, "PAGINATION_NUMBER_INVALID", reason)


def range_invalid(size: int) -> RegistryError:
    """No byte of the blob lies in the range that was asked for (RFC 9110, 15.5.17)."""
    message = f"the range lies outside of the blob's {size} bytes"
    return RegistryError(416, "RANGE_INVALID", message, {"size": size})


def size_invalid(limit: int) -> RegistryError:
    """A request came with a body larger than ``limit`` bytes (RFC 9110, 15.5.14)."""
    message = f"this registry takes no content: the request's body exceeds {limit} bytes"
    return RegistryError(413, "SIZE_INVALID", message)


def unavailable(reason: str) -> RegistryError:
    """The registry cannot look just now (RFC 9110, 15.6.4)."""
    return RegistryError(503, "UNAVAILABLE", reason)
