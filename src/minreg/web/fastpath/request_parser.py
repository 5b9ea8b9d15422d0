"""Reads a plain request in one go.

Requests may come in pieces, with bodies, with fields that say how to go on, or broken; so
Twisted reads them line by line, which takes a tenth of an answer's time. Nearly all requests
are plain: a GET or HEAD of HTTP/1.1 that arrives whole and alone, none of whose fields is
for the connection. Those are read here, with the same result. Whatever else arrives is for
Twisted to read, or to refuse.

A client sends the same fields with most of its requests: they are read once.
"""

import re
from functools import lru_cache

import attrs
from twisted.web.http_headers import Headers

_LONGEST = 2000
"""Bytes of a plain request: none of Twisted's limits is below. Most have some 300."""

_LINE = re.compile(rb"(GET|HEAD) ([!-~]+) HTTP/1\.1\r\n")
_FIELDS = re.compile(rb"(?:[0-9A-Za-z_-]+:[^\0\r\n]*\r\n)*\r\n")
"""A request line, and fields with names of usual characters (RFC 9112, sections 3 and 5)."""

_FOR_THE_CONNECTION = frozenset(
    {b"connection", b"content-length", b"cookie", b"expect", b"transfer-encoding"}
)
"""Fields that Twisted's parser acts upon."""


@attrs.frozen
class SimpleRequest:
    """What a plain request says. Its fields are not to be changed: others share them."""

    method: bytes
    target: bytes
    headers: Headers


def parse_simple_request(received: bytes) -> SimpleRequest | None:
    """Read a request; None if it is not plain, or not one whole request."""
    line = _LINE.match(received)
    if line is None or len(received) > _LONGEST:
        return None
    headers = _parse_fields(received[line.end() :])
    return None if headers is None else SimpleRequest(line[1], line[2], headers)


@lru_cache(maxsize=256)
def _parse_fields(lines: bytes) -> Headers | None:
    if _FIELDS.fullmatch(lines) is None:
        return None
    headers = Headers()
    for line in lines.split(b"\r\n")[:-2]:
        name, _, value = line.partition(b":")
        if name.lower() in _FOR_THE_CONNECTION:
            return None
        headers.addRawHeader(name, value.strip(b" \t"))
    return headers
