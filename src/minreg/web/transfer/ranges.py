"""Which bytes of a representation a client asks for (RFC 9110, section 14)."""

import re
from collections.abc import Sequence

import attrs

_MOST_RANGES = 100
_UNIT = re.compile(r"bytes=(.*)", re.IGNORECASE | re.DOTALL)
_SPEC = re.compile(r"(\d{0,19})-(\d{0,19})", re.ASCII)


class RangeNotSatisfiable(ValueError):
    """No byte of the representation lies in any range that was asked for."""


@attrs.frozen
class ByteRange:
    """``size`` bytes from ``offset`` on."""

    offset: int
    size: int

    def content_range(self, complete: int) -> bytes:
        """Write the ``Content-Range`` of this part of ``complete`` bytes."""
        return b"bytes %d-%d/%d" % (self.offset, self.offset + self.size - 1, complete)


def parse_range(header: str, complete: int) -> Sequence[ByteRange]:
    """Read a ``Range`` header.

    Args:
        header: The header's value.
        complete: The size of the whole representation, in bytes, at least 1.

    Returns:
        The ranges in the order asked for, each cut to what is there. None at all means
        that the whole is to be sent: the header is malformed, of another unit, or asks
        for more than the whole in many pieces (section 14.2).

    Raises:
        RangeNotSatisfiable: The header is well formed, and no range in it has a byte.
    """
    specs = _split(header)
    if specs is None:
        return ()
    ranges = [_satisfy(first, last, complete) for first, last in specs]
    satisfied = [found for found in ranges if found is not None]
    if not satisfied:
        raise RangeNotSatisfiable
    if len(satisfied) > 1 and sum(found.size for found in satisfied) > complete:
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


def _satisfy(first: str, last: str, complete: int) -> ByteRange | None:
    """Cut one range to what is there. One that ends before it begins has no byte."""
    if not first:
        size = min(int(last), complete)
        return ByteRange(complete - size, size) if size else None
    start = int(first)
    end = min(int(last), complete - 1) if last else complete - 1
    if start > end:
        return None
    return ByteRange(start, end - start + 1)
