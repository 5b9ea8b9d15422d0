"""Reads what a server wants to know of a client (``WWW-Authenticate``; RFC 9110, 11.6.1)."""

import re
from collections.abc import Iterable, Mapping

import attrs

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's word
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?:\s+(?![\s=])|\s*(?=,|\Z))")
_PARAMETER = re.compile(rf'[\s,]*({_TOKEN})\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


@attrs.frozen
class Challenge:
    """One way to authenticate: its scheme and parameters, names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = attrs.field(factory=dict)


def parse_challenges(lines: Iterable[str]) -> list[Challenge]:
    """Read the challenges of a response; what cannot be read is left out.

    Args:
        lines: The value of each ``WWW-Authenticate`` line; one may hold several.
    """
    return [challenge for line in lines for challenge in _parse_line(line)]


def _parse_line(line: str) -> list[Challenge]:
    challenges = []
    at = 0
    while match := _SCHEME.match(line, at):
        at = match.end()
        parameters = {}
        while parameter := _PARAMETER.match(line, at):
            at = parameter.end()
            parameters[parameter[1].lower()] = _unquoted(parameter[2])
        challenges.append(Challenge(match[1].lower(), parameters))
    return challenges


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    return _ESCAPED.sub(r"\1", value[1:-1])
