"""In which form somebody wants what is served beside the registry."""

from minreg.oci.errors import query_invalid
from minreg.web.request import RegistryRequest

_FORMATS = ("json", "list")


def wants_list(request: RegistryRequest) -> bool:
    """Tell whether the query, or else ``Accept``, asks for a list of lines and not for JSON.

    The answer's headers say that it depends on that, and that it is of this moment.

    Raises:
        RegistryError: There is no such format.
    """
    wanted: str = request.args.get(b"format", [b""])[-1].decode("utf-8", "replace")
    if not wanted:
        accepted = request.header(b"accept") or ""
        wanted = "list" if "text/plain" in accepted else "json"
    if wanted not in _FORMATS:
        raise query_invalid(f"format is one of {', '.join(_FORMATS)}")
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"vary", b"accept")
    return wanted == "list"


def send_lines(request: RegistryRequest, lines: bytes) -> int:
    """Send a list of lines."""
    return request.respond(lines, b"text/plain; charset=utf-8")
