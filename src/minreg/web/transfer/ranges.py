"""Parsing the header field ``Range`` (RFC 9110, section 14)."""

import re
from collections.abc import Sequence

import attrs

_MOST_RANGES = 100
_UNIT = re.compile(r"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_SPEC = re.compile(r"(\d{0,19})-(\d{0,19})", re.ASCII)


class RangeNotSatisfiable(ValueError):
    """None of the requested ranges has a byte of the representation."""


@attrs.frozen
class ByteRange:
    """``size`` bytes, beginning at ``offset``."""

    offset: int
    size: int

    def content_range(self, complete: int) -> bytes:
        """Return the ``Content-Range`` of this part of ``complete`` bytes."""
        return b"bytes %d-%d/%d" % (self.offset, self.offset + self.size - 1, complete)


def parse_range(header: str, complete: int) -> Sequence[ByteRange]:
    """Parse a ``Range`` field.

    Args:
        header: The field's value.
        complete: The size of the complete representation, in bytes.

    Returns:
        The ranges in the requested order, limited to the representation. An empty sequence
        means that the field is to be ignored (section 14.2): it is malformed, has another unit
        than bytes, has too many ranges, or its ranges together exceed the representation. So
        is one that asks for an empty representation from its beginning, or for its end: no
        ``Content-Range`` can describe that, and containerd 2.1 requests each blob that way.

    Raises:
        RangeNotSatisfiable: The field is well formed, and none of its ranges has a byte.
    """
    specs = _split(header)
    if specs is None:
        return ()
    ranges = [_satisfy(first, last, complete) for first, last in specs]
    satisfied = [part for part in ranges if part is not None]
    if not complete and any(map(_is_all_of_nothing, specs)):
        return ()
    if not satisfied:
        raise RangeNotSatisfiable
    if len(satisfied) > 1 and sum(part.size for part in satisfied) > complete:
        return ()
    return satisfied


def _split(header: str) -> list[tuple[str, str]] | None:
    unit = _UNIT.fullmatch(header.strip())
    if unit is None:
        return None
    pieces = [piece.strip(" \t") for piece in unit[1].split(",")]
    matches = [_SPEC.fullmatch(piece) for piece in pieces if piece]
    specs = [(match[1], match[2]) for match in matches if match is not None]
    if len(specs) < len(matches) or not 0 < len(specs) <= _MOST_RANGES or ("", "") in specs:
        return None
    return specs


def _is_all_of_nothing(spec: tuple[str, str]) -> bool:
    """Return whether a range of an empty representation begins at its first byte."""
    first, last = spec
    return not int(first) if first else bool(int(last))


def _satisfy(first: str, last: str, complete: int) -> ByteRange | None:
    """Return a range limited to the representation; None if it has no byte of it."""
    if not first:
        size = min(int(last), complete)
        return ByteRange(complete - size, size) if size else None
    start = int(first)
    end = min(int(last), complete - 1) if last else complete - 1
    if start > end:
        return None
    return ByteRange(start, end - start + 1)
