"""The formats of the status documents: JSON or lines of text, and times.

A module of its own, because the preflight endpoint is loaded lazily and imports it too.
"""

from datetime import UTC, datetime

from minreg.oci.errors import query_invalid
from minreg.web.request import RegistryRequest

_FORMATS = ("json", "list")


def wants_list(request: RegistryRequest) -> bool:
    """Return whether the query, or else ``Accept``, requests lines of text instead of JSON.

    The header fields ``Vary`` and ``Cache-Control`` of the response are set.

    Raises:
        RegistryError: The format is unknown.
    """
    name: str = request.args.get(b"format", [b""])[-1].decode("utf-8", "replace")
    if not name:
        accepted = request.header(b"accept") or ""
        name = "list" if "text/plain" in accepted else "json"
    if name not in _FORMATS:
        raise query_invalid(f"format is unknown: use {' or '.join(_FORMATS)}")
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"vary", b"accept")
    return name == "list"


def send_lines(request: RegistryRequest, lines: bytes) -> int:
    """Send lines of text."""
    return request.respond(lines, b"text/plain; charset=utf-8")


def format_time(seconds: float) -> str:
    """Return a time as RFC 3339 text in UTC.

    Args:
        seconds: The time, in seconds since the epoch.
    """
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
